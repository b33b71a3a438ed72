//! From payloads to raw bytes.

use crate::block::{BlockHeader, Codec};
use crate::{checksum, wire};

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

/// The raw bytes of a block that is not encrypted. The payload is one that was verified against
/// its header.
///
/// # Errors
/// When the payload cannot be decoded, or gives other bytes than the header says. Never more than
/// the header's raw length is allocated.
pub fn decode(header: &BlockHeader, payload: Vec<u8>) -> Result<Vec<u8>, ContentError> {
    if header.is_encrypted() {
        return Err(ContentError::Encrypted);
    }
    let raw = match header.codec {
        Codec::Raw => payload,
        codec => return Err(ContentError::NotSupported { codec }),
    };
    check(header, &raw)?;
    Ok(raw)
}

fn check(header: &BlockHeader, raw: &[u8]) -> Result<(), ContentError> {
    if wire::size(raw.len()) != u64::from(header.raw_length) {
        return Err(ContentError::Length {
            expected: header.raw_length.into(),
            found: wire::size(raw.len()),
        });
    }
    let found = checksum::crc32c(raw);
    if found != header.raw_crc {
        return Err(ContentError::Checksum {
            expected: header.raw_crc,
            found,
        });
    }
    Ok(())
}
