use std::fmt;

use crate::checksum::crc32c;

/// The newest protocol version this crate speaks.
pub const VERSION: u16 = 1;
/// The oldest protocol version this crate speaks.
pub const OLDEST_VERSION: u16 = 1;

const MAGIC: [u8; 8] = *b"VABMOVER";

/// What a peer can do beyond the base protocol; a bit is used only if both sides set it.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Features(u64);

impl Features {
    /// No feature.
    pub const NONE: Self = Self(0);
    /// A backup session survives its connection and can be taken up again.
    pub const RESUME: Self = Self(1);
    /// Bit kept for more than one connection per session.
    pub const LANES: Self = Self(1 << 1);
    /// Of a target: a token is asked for before the first request. Of a source: it has one.
    pub const TOKEN: Self = Self(1 << 2);
    /// Of a target that was greeted in the clear: it serves over TLS only.
    pub const TLS: Self = Self(1 << 3);

    /// The features with these bits; unknown bits are kept and mean nothing.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The bits as they travel.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether every feature of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The features in either set.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The features in both sets.
    #[must_use]
    pub const fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl fmt::Debug for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Features({:#x})", self.0)
    }
}

/// The first bytes on the wire, in both directions.
///
/// The layout is the same in every version of the protocol, so that two peers that do not
/// understand each other can at least say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The oldest version the sender speaks.
    pub oldest: u16,
    /// The newest version the sender speaks.
    pub newest: u16,
    /// What the sender can do.
    pub features: Features,
    /// The largest stored payload of a block, in bytes, the sender takes.
    pub max_block: u32,
}

impl Hello {
    /// Bytes of a hello.
    pub const LENGTH: usize = 32;

    /// What this crate says of itself.
    pub const fn ours() -> Self {
        Self {
            oldest: OLDEST_VERSION,
            newest: VERSION,
            features: Features::RESUME,
            max_block: super::frame::MAX_PAYLOAD,
        }
    }

    /// What the first bytes of a connection are, if they are no hello.
    pub fn what_else(magic: &[u8; 8]) -> Option<HelloError> {
        match magic {
            magic if Self::is_ours(magic) => None,
            // A handshake record of any version.
            [0x16, 3, ..] => Some(HelloError::Tls),
            seen => Some(HelloError::NotOurs { seen: *seen }),
        }
    }

    /// Whether bytes that begin so may be a hello.
    pub fn is_ours(magic: &[u8; 8]) -> bool {
        *magic == MAGIC
    }

    /// The bytes that travel.
    pub fn encode(&self) -> [u8; Self::LENGTH] {
        let mut out = Vec::with_capacity(Self::LENGTH);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&self.oldest.to_le_bytes());
        out.extend_from_slice(&self.newest.to_le_bytes());
        out.extend_from_slice(&self.max_block.to_le_bytes());
        out.extend_from_slice(&self.features.bits().to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        let crc = crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        let mut bytes = [0; Self::LENGTH];
        bytes.copy_from_slice(&out);
        bytes
    }

    /// Reads what a peer said of itself.
    ///
    /// # Errors
    /// [`HelloError::NotOurs`] if the peer speaks something else, [`HelloError::Damaged`] if the
    /// bytes were changed on the way.
    pub fn decode(bytes: &[u8; Self::LENGTH]) -> Result<Self, HelloError> {
        let (magic, rest) = bytes.split_first_chunk::<8>().ok_or(HelloError::Damaged)?;
        if *magic != MAGIC {
            return Err(HelloError::NotOurs { seen: *magic });
        }
        let (covered, crc) = bytes.split_last_chunk::<4>().ok_or(HelloError::Damaged)?;
        if crc32c(covered) != u32::from_le_bytes(*crc) {
            return Err(HelloError::Damaged);
        }
        let mut fields = super::fields::Fields::new(rest);
        Ok(Self {
            oldest: fields.u16().ok_or(HelloError::Damaged)?,
            newest: fields.u16().ok_or(HelloError::Damaged)?,
            max_block: fields.u32().ok_or(HelloError::Damaged)?,
            features: Features::from_bits(fields.u64().ok_or(HelloError::Damaged)?),
        })
    }

    /// The version and features two peers share.
    ///
    /// # Errors
    /// [`HelloError::Version`] if there is no version both speak.
    pub fn agree(&self, peer: &Self) -> Result<Agreement, HelloError> {
        let version = self.newest.min(peer.newest);
        if version < self.oldest || version < peer.oldest {
            return Err(HelloError::Version {
                ours: (self.oldest, self.newest),
                theirs: (peer.oldest, peer.newest),
            });
        }
        Ok(Agreement {
            version,
            features: self.features.both(peer.features),
            max_block: self.max_block.min(peer.max_block),
        })
    }
}

/// What two peers agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The version both speak.
    pub version: u16,
    /// The features both have.
    pub features: Features,
    /// The largest stored payload of a block, in bytes, both take.
    pub max_block: u32,
}

/// Why two peers cannot talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HelloError {
    /// The other side is not a data mover.
    #[error(
        "the other side is no data mover of vab (it began with {}); check the address and port",
        Seen(seen)
    )]
    NotOurs {
        /// The first bytes it sent.
        seen: [u8; 8],
    },
    /// The other side began a TLS handshake, and this side does not speak TLS.
    #[error(
        "the other side began a TLS handshake, and this side has no certificate; serve with TLS, or connect without"
    )]
    Tls,
    /// There is no protocol version both sides speak.
    #[error(
        "no common protocol version: this side speaks {} to {}, the other side {} to {}; update the older one",
        ours.0, ours.1, theirs.0, theirs.1
    )]
    Version {
        /// Oldest and newest version of this side.
        ours: (u16, u16),
        /// Oldest and newest version of the other side.
        theirs: (u16, u16),
    },
    /// The checksum of the hello does not fit.
    #[error("the greeting of the other side arrived damaged; try again")]
    Damaged,
}

struct Seen<'a>(&'a [u8; 8]);

impl fmt::Display for Seen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_comes_back_as_it_was() {
        let hello = Hello {
            features: Features::from_bits(0x1234_5678_9abc_def0),
            ..Hello::ours()
        };
        assert_eq!(Hello::decode(&hello.encode()), Ok(hello));
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let bytes = Hello::ours().encode();
        for bit in 0..Hello::LENGTH * 8 {
            let mut bad = bytes;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Hello::decode(&bad).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn another_program_is_named_by_what_it_said() {
        let mut bytes = [b' '; Hello::LENGTH];
        bytes[..8].copy_from_slice(b"HTTP/1.1");
        let error = Hello::decode(&bytes).unwrap_err();
        assert_eq!(error, HelloError::NotOurs { seen: *b"HTTP/1.1" });
        assert!(error.to_string().contains("HTTP/1.1"));
    }

    #[test]
    fn a_tls_handshake_is_told_from_another_program() {
        let what = |magic| Hello::what_else(magic);
        assert_eq!(what(b"VABMOVER"), None);
        assert_eq!(what(&[0x16, 3, 1, 2, 0, 1, 0, 1]), Some(HelloError::Tls));
        let seen = *b"HTTP/1.1";
        assert_eq!(what(&seen), Some(HelloError::NotOurs { seen }));
    }

    #[test]
    fn versions_that_do_not_meet_are_both_named() {
        let other = Hello {
            oldest: 7,
            newest: 9,
            ..Hello::ours()
        };
        let error = Hello::ours().agree(&other).unwrap_err();
        assert_eq!(
            error,
            HelloError::Version {
                ours: (1, 1),
                theirs: (7, 9)
            }
        );
        assert!(other.agree(&Hello::ours()).is_err());
    }

    #[test]
    fn the_newest_common_version_is_taken() {
        let other = Hello {
            oldest: 1,
            newest: 9,
            max_block: 4096,
            ..Hello::ours()
        };
        let agreed = Hello::ours().agree(&other).unwrap();
        assert_eq!((agreed.version, agreed.max_block), (1, 4096));
    }
}
