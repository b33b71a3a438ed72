//! The index of one stream, as its commit has it.

use super::{IndexEntry, SegmentRef};
use crate::error::{DecodeError, EncodeError, Part};
use crate::limits::{MAX_COMMIT_LENGTH, MAX_INDEX_ENTRIES};
use crate::stream::StreamEnd;
use crate::wire::{self, Fields};

/// The index of one stream: segments that were written before, then the rest.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct StreamIndex {
    /// The segments, in the order of their blocks.
    pub segments: Vec<SegmentRef>,
    /// The entries of the blocks behind the last segment.
    pub tail: Vec<IndexEntry>,
}

/// Where a block is to be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// Here is its entry, and the sequence number of the block.
    Entry(u64, &'a IndexEntry),
    /// In this segment.
    Segment(&'a SegmentRef),
}

impl StreamIndex {
    /// How many blocks the stream has.
    pub fn blocks(&self) -> u64 {
        self.segments.last().map_or(0, SegmentRef::end) + wire::size(self.tail.len())
    }

    /// Where the block with that sequence number is; `None` when the stream has no such block.
    pub fn find(&self, sequence: u64) -> Option<Found<'_>> {
        let in_segments = self.segments.last().map_or(0, SegmentRef::end);
        if let Some(at) = sequence.checked_sub(in_segments) {
            let entry = self.tail.get(usize::try_from(at).ok()?)?;
            return Some(Found::Entry(sequence, entry));
        }
        let after = self
            .segments
            .partition_point(|segment| segment.sequence <= sequence);
        Some(Found::Segment(self.segments.get(after.checked_sub(1)?)?))
    }

    /// Where the block is that holds the byte at `offset` of the stream. `None` when it is surely
    /// beyond the end; a segment may still turn out not to reach it.
    pub fn find_offset(&self, offset: u64) -> Option<Found<'_>> {
        if let Some((at, entry)) = holding(&self.tail, offset) {
            let in_segments = self.segments.last().map_or(0, SegmentRef::end);
            return Some(Found::Entry(in_segments + wire::size(at), entry));
        }
        if self.tail.first().is_some_and(|first| first.start <= offset) {
            return None;
        }
        let after = self
            .segments
            .partition_point(|segment| segment.start <= offset);
        Some(Found::Segment(self.segments.get(after.checked_sub(1)?)?))
    }

    /// Checks that everything lies in the session's part of the file.
    pub(crate) fn check_within(&self, start: u64, end: u64) -> Result<(), DecodeError> {
        let segments = self.segments.iter();
        let segments = segments.map(|segment| (segment.position, segment.record_length()));
        let blocks = self.tail.iter();
        let blocks = blocks.map(|entry| (entry.position, entry.record_length()));
        match segments
            .chain(blocks)
            .find(|(position, length)| *position < start || position + length > end)
        {
            None => Ok(()),
            Some((found, _)) => Err(DecodeError::InvalidValue {
                part: Part::Commit,
                field: "position of a record",
                found,
            }),
        }
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let part = Part::Commit;
        let (segments, entries) = (self.segments.len(), self.tail.len());
        wire::put_count(out, part, "segments", segments, MAX_SEGMENTS)?;
        wire::put_count(out, part, "entries", entries, MAX_INDEX_ENTRIES as u64)?;
        for segment in &self.segments {
            out.extend_from_slice(&wire::fixed::<{ SegmentRef::LENGTH }, _>(segment));
        }
        for entry in &self.tail {
            out.extend_from_slice(&wire::fixed::<{ IndexEntry::LENGTH }, _>(entry));
        }
        Ok(())
    }

    pub(crate) fn decode(fields: &mut Fields<'_>, end: &StreamEnd) -> Result<Self, DecodeError> {
        let segments = fields.count("segments", MAX_SEGMENTS)?;
        let entries = fields.count("entries", MAX_INDEX_ENTRIES as u64)?;
        let segments = SegmentRef::decode_run(fields, segments)?;
        // Where the last segment ends in the stream is in the segment; the entries say it again.
        let start = match (segments.is_empty(), fields.rest().first_chunk()) {
            (false, Some(start)) if entries > 0 => u64::from_le_bytes(*start),
            _ => 0,
        };
        let tail = IndexEntry::decode_run(fields, entries, start)?;
        if let (Some(last), Some(first)) = (segments.last(), tail.first())
            && first.start <= last.start
        {
            return Err(fields.invalid("start of a block", first.start));
        }
        let index = Self { segments, tail };
        let disagrees = |field, expected, found| {
            Err(DecodeError::Disagrees {
                part: Part::Commit,
                field,
                expected,
                found,
            })
        };
        if index.blocks() != end.blocks {
            return disagrees("blocks", end.blocks, index.blocks());
        }
        match index.tail.last() {
            Some(last) if last.end() != end.bytes => disagrees("bytes", end.bytes, last.end()),
            None if index.segments.is_empty() && end.bytes != 0 => disagrees("bytes", end.bytes, 0),
            _ => Ok(index),
        }
    }
}

/// As many as a commit's payload can hold.
const MAX_SEGMENTS: u64 = MAX_COMMIT_LENGTH as u64 / SegmentRef::LENGTH as u64;

/// The entry that holds the byte at `offset` of the stream, and its place in `entries`.
pub(super) fn holding(entries: &[IndexEntry], offset: u64) -> Option<(usize, &IndexEntry)> {
    let at = entries
        .partition_point(|entry| entry.start <= offset)
        .checked_sub(1)?;
    let entry = entries.get(at)?;
    (offset < entry.end()).then_some((at, entry))
}
