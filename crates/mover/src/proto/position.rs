use bincode::{Decode, Encode};
use vab_format::block::BlockHeader;
use vab_format::stream::StreamEnd;

use crate::checksum;

/// How far a stream has come: totals of a prefix of it, with the end-to-end checksum so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Position {
    /// Blocks; also the sequence of the next one.
    pub blocks: u64,
    /// Bytes the engine produced; also the offset of the next block.
    pub bytes: u64,
    /// Bytes of the stored payloads.
    pub stored_bytes: u64,
    /// CRC-32C of the bytes the engine produced, in order; masked when the stream is encrypted.
    pub crc: u32,
}

/// A block that is not the next one of its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "stream {stream}: block {got} at offset {got_offset} came where block {expected} at offset {expected_offset} was due"
)]
pub struct OutOfOrder {
    /// The stream.
    pub stream: u16,
    /// Sequence that was due.
    pub expected: u64,
    /// Sequence that came.
    pub got: u64,
    /// Offset that was due.
    pub expected_offset: u64,
    /// Offset that came.
    pub got_offset: u64,
}

impl Position {
    /// Goes past the block with this header.
    ///
    /// # Errors
    /// [`OutOfOrder`] if it is not the next block.
    pub fn advance(&mut self, header: &BlockHeader) -> Result<(), OutOfOrder> {
        if header.sequence != self.blocks || header.offset != self.bytes {
            return Err(OutOfOrder {
                stream: header.stream,
                expected: self.blocks,
                got: header.sequence,
                expected_offset: self.bytes,
                got_offset: header.offset,
            });
        }
        self.blocks = self.blocks.saturating_add(1);
        self.bytes = self.bytes.saturating_add(u64::from(header.raw_length));
        self.stored_bytes = self
            .stored_bytes
            .saturating_add(u64::from(header.stored_length));
        self.crc = checksum::combine(self.crc, header.raw_crc, u64::from(header.raw_length));
        Ok(())
    }

    /// Whether these are the totals `told`. The checksum over an encrypted stream says nothing
    /// to who has no key: it is left out then.
    pub(super) fn agrees(&self, told: &Self, sealed: bool) -> bool {
        let mut told = *told;
        if sealed {
            told.crc = self.crc;
        }
        *self == told
    }

    /// The totals as the record of a stream that ends here.
    pub fn end(&self, stream: u16) -> StreamEnd {
        StreamEnd {
            stream,
            blocks: self.blocks,
            bytes: self.bytes,
            stored_bytes: self.stored_bytes,
            crc: self.crc,
        }
    }
}

impl From<&StreamEnd> for Position {
    fn from(end: &StreamEnd) -> Self {
        Self {
            blocks: end.blocks,
            bytes: end.bytes,
            stored_bytes: end.stored_bytes,
            crc: end.crc,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{SESSION, block};

    #[test]
    fn the_checksum_over_blocks_is_that_of_the_whole_stream() {
        let parts: [&[u8]; 3] = [b"one", b"2", b"three and more"];
        let mut at = Position::default();
        for part in parts {
            let block = block(SESSION, 3, &at, part);
            at.advance(&block.header).unwrap();
        }
        let whole = parts.concat();
        assert_eq!(at.bytes, whole.len() as u64);
        assert_eq!(at.blocks, 3);
        assert_eq!(at.crc, checksum::crc32c(&whole));
    }

    #[test]
    fn a_block_twice_is_refused_and_changes_nothing() {
        let mut at = Position::default();
        let first = block(SESSION, 0, &at, b"first");
        at.advance(&first.header).unwrap();
        let before = at;
        let error = at.advance(&first.header).unwrap_err();
        assert_eq!((error.expected, error.got), (1, 0));
        assert_eq!(at, before);
    }
}
