//! The end of a stream.

use binrw::binrw;

use crate::error::{DecodeError, Part};
use crate::wire;

/// The totals of one stream of a session, known when it has ended.
#[binrw]
#[brw(little)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct StreamEnd {
    /// The number of the stream in its session, from 0.
    pub stream: u16,
    /// Blocks in the stream.
    #[brw(pad_before = 6)]
    pub blocks: u64,
    /// Raw bytes in the stream, as the engine produced them.
    pub bytes: u64,
    /// Bytes of the blocks' payloads as stored.
    pub stored_bytes: u64,
    /// CRC-32C of the stream's raw bytes in order, from end to end. In an encrypted session it is
    /// masked, see `FORMAT.md`.
    pub crc: u32,
}

impl StreamEnd {
    /// The encoded length in bytes.
    pub const LENGTH: usize = 36;

    /// The bytes of this structure; it has no checksum of its own, what holds it has.
    pub fn encode(&self) -> [u8; Self::LENGTH] {
        wire::fixed(self)
    }

    /// Reads the structure.
    ///
    /// # Errors
    /// [`DecodeError::InvalidValue`] when the totals cannot be those of one stream.
    pub fn decode(bytes: &[u8; Self::LENGTH]) -> Result<Self, DecodeError> {
        let end: Self = wire::parse(Part::StreamEnd, bytes)?;
        let part = Part::StreamEnd;
        if usize::from(end.stream) >= crate::limits::MAX_STREAMS {
            return Err(DecodeError::OverLimit {
                part,
                field: "stream",
                length: end.stream.into(),
                limit: wire::size(crate::limits::MAX_STREAMS) - 1,
            });
        }
        wire::zero(part, 2, bytes.get(2..8).unwrap_or_default())?;
        // Every block holds at least one raw byte.
        if end.blocks > end.bytes {
            return Err(DecodeError::InvalidValue {
                part,
                field: "blocks",
                found: end.blocks,
            });
        }
        Ok(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: StreamEnd = StreamEnd {
        stream: 3,
        blocks: 2,
        bytes: 2_000_000,
        stored_bytes: 1_500_000,
        crc: 0x1234_5678,
    };

    #[test]
    fn goes_both_ways() {
        assert_eq!(StreamEnd::decode(&END.encode()), Ok(END));
    }

    #[test]
    fn more_blocks_than_bytes_is_refused() {
        let end = StreamEnd { bytes: 1, ..END };
        assert!(matches!(
            StreamEnd::decode(&end.encode()),
            Err(DecodeError::InvalidValue {
                field: "blocks",
                ..
            })
        ));
    }
}
