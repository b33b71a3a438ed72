//! One block in an index.

use binrw::binrw;

use crate::block::BlockHeader;
use crate::error::{DecodeError, Part};
use crate::limits::{ALIGNMENT, MAX_BLOCK_LENGTH, MAX_FILE_LENGTH, MAX_STORED_LENGTH};
use crate::wire::{self, Fields};

/// The place of one block.
#[binrw]
#[brw(little)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct IndexEntry {
    /// Where the block's raw bytes begin in the stream.
    pub start: u64,
    /// Where the block's record begins in the file.
    pub position: u64,
    /// How many raw bytes the block holds.
    pub raw_length: u32,
    /// How many bytes its payload has in the file.
    pub stored_length: u32,
    /// The checksum in the last four bytes of the block's header: binds the entry to this block.
    #[brw(pad_after = 4)]
    pub header_crc: u32,
}

impl IndexEntry {
    /// The encoded length in bytes.
    pub const LENGTH: usize = Self::BYTES as usize;

    pub(crate) const BYTES: u32 = 32;

    /// The entry of a block whose record is at `position`.
    pub fn of(header: &BlockHeader, position: u64) -> Self {
        let bytes = header.encode();
        Self {
            start: header.offset,
            position,
            raw_length: header.raw_length,
            stored_length: header.stored_length,
            header_crc: bytes.last_chunk().map_or(0, |crc| u32::from_le_bytes(*crc)),
        }
    }

    /// Whether this is the entry of that block.
    pub fn is_of(&self, header: &BlockHeader) -> bool {
        *self == Self::of(header, self.position)
    }

    /// Where the block's raw bytes end in the stream.
    pub const fn end(&self) -> u64 {
        self.start.saturating_add(self.raw_length as u64)
    }

    /// The length of the block's record, a multiple of 4096.
    pub const fn record_length(&self) -> u64 {
        crate::record::length(self.stored_length)
    }

    /// Reads `count` entries; the first begins at `start` of the stream.
    pub(crate) fn decode_run(
        fields: &mut Fields<'_>,
        count: usize,
        start: u64,
    ) -> Result<Vec<Self>, DecodeError> {
        // Nothing is allocated that the bytes at hand do not fill.
        let mut entries = Vec::with_capacity(count.min(fields.rest().len() / Self::LENGTH));
        let (mut start, mut position) = (start, 0);
        for _ in 0..count {
            let bytes = fields.take(Self::LENGTH)?;
            let entry: Self = wire::parse(Part::IndexSegment, bytes)?;
            wire::zero(Part::IndexSegment, 28, bytes.get(28..).unwrap_or_default())?;
            let in_file =
                entry.position.is_multiple_of(ALIGNMENT) && entry.position <= MAX_FILE_LENGTH;
            if !in_file || entry.position <= position {
                return Err(fields.invalid("position of a block", entry.position));
            }
            if entry.start != start || start.checked_add(entry.raw_length.into()).is_none() {
                return Err(fields.invalid("start of a block", entry.start));
            }
            if entry.raw_length == 0 || entry.raw_length > MAX_BLOCK_LENGTH {
                return Err(fields.invalid("length of a block", entry.raw_length.into()));
            }
            if entry.stored_length == 0 || entry.stored_length > MAX_STORED_LENGTH {
                return Err(fields.invalid("length of a payload", entry.stored_length.into()));
            }
            (start, position) = (entry.end(), entry.position);
            entries.push(entry);
        }
        Ok(entries)
    }
}
