//! From payloads to raw bytes.

use bytes::Bytes;

use super::Decompressor;
use crate::block::{BlockHeader, Codec};
use crate::checksum;

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

/// Turns payloads into raw bytes. It keeps what decompression needs from one block to the next.
#[derive(Debug, Default)]
pub struct Decoder {
    decompressor: Decompressor,
}

impl Decoder {
    /// A new one.
    pub fn new() -> Self {
        Self::default()
    }

    /// The raw bytes of a block that is not encrypted. The payload is one that was verified
    /// against its header.
    ///
    /// # Errors
    /// When the payload cannot be decoded, or gives other bytes than the header says. Never more
    /// than the header's raw length is allocated.
    pub fn decode(&mut self, header: &BlockHeader, payload: Bytes) -> Result<Bytes, ContentError> {
        if header.is_encrypted() {
            return Err(ContentError::Encrypted);
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
