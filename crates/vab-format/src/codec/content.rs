//! From payloads to raw bytes.

use bytes::Bytes;

use super::Decompressor;
use crate::block::{BlockHeader, Codec};
use crate::checksum;
#[cfg(feature = "encrypt")]
use {crate::stream::StreamEnd, uuid::Uuid};

/// Why a payload could not be turned into raw bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// The block is encrypted, and there is no key.
    #[error("the block is encrypted: a key is needed")]
    Encrypted,
    /// The block is compressed in a way that this program was built without.
    #[error("the block is compressed with {codec}, which this program was built without")]
    NotSupported {
        /// How it is compressed.
        codec: Codec,
    },
    /// The block was changed, or encrypted with another key.
    #[error("the block was changed, or was encrypted with another key")]
    NotAuthentic,
    /// The payload cannot be decompressed.
    #[error("the payload is no {codec} data: {reason}")]
    Corrupt {
        /// How it is compressed.
        codec: Codec,
        /// What the decompressor says.
        reason: String,
    },
    /// The payload holds another number of raw bytes than its header says.
    #[error("the payload holds {found} raw bytes, its header says {expected}")]
    Length {
        /// What the header says.
        expected: u64,
        /// What came out.
        found: u64,
    },
    /// The raw bytes have another checksum than the header says.
    #[error("the raw bytes have the checksum {found:#010x}, the header says {expected:#010x}")]
    Checksum {
        /// What the header says.
        expected: u32,
        /// That of the bytes that came out.
        found: u32,
    },
}

impl ContentError {
    /// Whether the block is damaged; otherwise this program only lacks something to read it.
    pub const fn is_damage(&self) -> bool {
        !matches!(self, Self::Encrypted | Self::NotSupported { .. })
    }
}

/// Turns payloads into raw bytes. It keeps what decompression needs from one block to the next.
#[derive(Debug, Default)]
pub struct Decoder {
    decompressor: Decompressor,
    #[cfg(feature = "encrypt")]
    opener: Option<crate::crypto::Opener>,
}

impl Decoder {
    /// One without a key, for blocks that are not encrypted.
    pub fn new() -> Self {
        Self::default()
    }

    /// One for blocks that are encrypted with this key, and for others.
    #[cfg(feature = "encrypt")]
    pub fn with_key(key: crate::crypto::DataKey) -> Self {
        Self {
            opener: Some(crate::crypto::Opener::new(key)),
            ..Self::default()
        }
    }

    /// The raw bytes of a block. The payload is one that was verified
    /// against its header.
    ///
    /// # Errors
    /// When the payload cannot be decoded, or gives other bytes than the header says. Never more
    /// than the header's raw length is allocated.
    pub fn decode(&mut self, header: &BlockHeader, payload: Bytes) -> Result<Bytes, ContentError> {
        if header.is_encrypted() {
            return self.decode_encrypted(header, payload);
        }
        let raw = self
            .decompressor
            .decompress(header.codec, header.raw_length, payload)?;
        let found = checksum::crc32c(&raw);
        if found == header.raw_crc {
            return Ok(raw);
        }
        Err(ContentError::Checksum {
            expected: header.raw_crc,
            found,
        })
    }

    /// The end of a stream with the checksum of its raw bytes. In an encrypted session that is
    /// masked as it is stored, and known only with the key and when a block of the session was
    /// decoded last; `None` otherwise.
    #[cfg(feature = "encrypt")]
    pub fn end(&self, session: Uuid, stored: StreamEnd) -> Option<StreamEnd> {
        self.opener.as_ref()?.end(session, stored)
    }

    #[cfg(feature = "encrypt")]
    fn decode_encrypted(
        &mut self,
        header: &BlockHeader,
        payload: Bytes,
    ) -> Result<Bytes, ContentError> {
        let opener = self.opener.as_mut().ok_or(ContentError::Encrypted)?;
        let payload = opener.open(header, payload)?;
        self.decompressor
            .decompress(header.codec, header.raw_length, payload)
    }

    #[cfg(not(feature = "encrypt"))]
    #[expect(clippy::unused_self, reason = "used where the feature is on")]
    fn decode_encrypted(&mut self, _: &BlockHeader, _: Bytes) -> Result<Bytes, ContentError> {
        Err(ContentError::Encrypted)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::block::BlockFlags;

    fn block() -> (BlockHeader, Bytes) {
        let raw = Bytes::from_static(b"raw bytes");
        let header = BlockHeader::for_raw(Uuid::from_u128(1), 0, 0, 0, &raw);
        (header, raw)
    }

    #[test]
    fn a_raw_block_is_its_payload() {
        let (header, raw) = block();
        assert_eq!(Decoder::new().decode(&header, raw.clone()), Ok(raw));
    }

    #[test]
    fn an_encrypted_block_needs_a_key() {
        let (mut header, raw) = block();
        header.flags = BlockFlags::ENCRYPTED;
        let error = Decoder::new().decode(&header, raw).unwrap_err();
        assert_eq!(error, ContentError::Encrypted);
        assert!(!error.is_damage());
    }

    #[test]
    fn other_bytes_than_the_header_says_are_damage() {
        let (header, _) = block();
        let mut decoder = Decoder::new();
        let other = decoder.decode(&header, Bytes::from_static(b"raw bytez"));
        assert!(matches!(other, Err(ContentError::Checksum { .. })));
        let longer = decoder.decode(&header, Bytes::from_static(b"raw bytes."));
        assert!(matches!(
            longer,
            Err(ContentError::Length {
                expected: 9,
                found: 10
            })
        ));
    }
}
