//! Index segments: runs of entries that were written before the commit, so that neither writer
//! nor reader ever holds the index of a long session in memory.

use binrw::binrw;
use uuid::Uuid;

use super::IndexEntry;
use crate::checksum;
use crate::error::{DecodeError, Part};
use crate::limits::{ALIGNMENT, MAX_FILE_LENGTH, MAX_INDEX_ENTRIES};
use crate::record::{FRAME_LENGTH, Frame, Head, Position, RecordHeader, RecordKind};
use crate::wire::{self, Fields};

/// A run of entries of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct IndexSegment {
    /// The session.
    pub session: Uuid,
    /// The stream.
    pub stream: u16,
    /// The sequence number of the first entry's block.
    pub sequence: u64,
    /// The entries, of blocks with consecutive sequence numbers.
    pub entries: Vec<IndexEntry>,
}

/// Where a segment is, as the commit has it.
#[binrw]
#[brw(little)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SegmentRef {
    /// The sequence number of the segment's first block.
    pub sequence: u64,
    /// Where the raw bytes of that block begin in the stream.
    pub start: u64,
    /// Where the segment's record begins in the file.
    pub position: u64,
    /// How many entries it has, 1 to [`MAX_INDEX_ENTRIES`].
    pub count: u32,
    /// CRC-32C of its payload: binds the commit to this segment.
    pub crc: u32,
}

impl IndexSegment {
    /// The bytes of the segment's record at `position`, padding included, and the reference to it.
    pub(crate) fn encode(&self, position: &Position) -> (Vec<u8>, SegmentRef) {
        let mut payload = Vec::with_capacity(self.entries.len() * IndexEntry::LENGTH);
        for entry in &self.entries {
            payload.extend_from_slice(&wire::fixed::<{ IndexEntry::LENGTH }, _>(entry));
        }
        let count = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        let header = RecordHeader {
            kind: RecordKind::Index,
            session: self.session,
            stream: self.stream,
            count,
            sequence: self.sequence,
            length: u32::try_from(payload.len()).unwrap_or(u32::MAX),
            crc: checksum::crc32c(&payload),
        };
        let reference = SegmentRef {
            sequence: self.sequence,
            start: self.entries.first().map_or(0, |entry| entry.start),
            position: position.offset,
            count,
            crc: header.crc,
        };
        let frame = Frame::new(Head::Other(header), position);
        let length = usize::try_from(frame.placement.length).unwrap_or(usize::MAX);
        let mut record = Vec::with_capacity(length);
        record.extend_from_slice(&frame.encode());
        record.append(&mut payload);
        record.resize(length, 0);
        (record, reference)
    }

    /// Reads the whole record of a segment, frame and padding included.
    ///
    /// # Errors
    /// When the record is damaged, does not belong at `position`, or is not the one that
    /// `reference` means.
    pub fn decode(
        record: &[u8],
        position: &Position,
        stream: u16,
        reference: &SegmentRef,
    ) -> Result<Self, DecodeError> {
        let part = Part::IndexSegment;
        let (frame, body) =
            record
                .split_first_chunk::<FRAME_LENGTH>()
                .ok_or(DecodeError::Truncated {
                    part,
                    needed: FRAME_LENGTH as u64,
                    found: wire::size(record.len()),
                })?;
        let frame = Frame::decode_at(frame, position)?;
        let payload = frame.payload(body)?;
        let Head::Other(header) = frame.head else {
            return Err(wrong_kind(&frame));
        };
        if header.kind != RecordKind::Index {
            return Err(wrong_kind(&frame));
        }
        for (field, expected, found) in [
            ("stream", stream.into(), header.stream.into()),
            ("sequence", reference.sequence, header.sequence),
            ("entries", reference.count.into(), header.count.into()),
            ("checksum", reference.crc.into(), header.crc.into()),
        ] {
            if expected != found {
                return Err(DecodeError::Disagrees {
                    part,
                    field,
                    expected,
                    found,
                });
            }
        }
        let mut fields = Fields::new(part, payload);
        if header.count == 0 {
            return Err(fields.invalid("entries", 0));
        }
        // No block is empty, so there are no more blocks before it than bytes.
        if header.sequence > reference.start {
            return Err(fields.invalid("sequence", header.sequence));
        }
        let count = usize::try_from(header.count).unwrap_or(usize::MAX);
        let entries = IndexEntry::decode_run(&mut fields, count, reference.start)?;
        fields.finish()?;
        Ok(Self {
            session: header.session,
            stream: header.stream,
            sequence: header.sequence,
            entries,
        })
    }

    /// The entry of the block with that sequence number.
    pub fn entry(&self, sequence: u64) -> Option<&IndexEntry> {
        let at = sequence.checked_sub(self.sequence)?;
        self.entries.get(usize::try_from(at).ok()?)
    }

    /// The block that holds the byte at `offset` of the stream, and its sequence number.
    pub fn entry_at(&self, offset: u64) -> Option<(u64, &IndexEntry)> {
        let (at, entry) = super::stream::holding(&self.entries, offset)?;
        Some((self.sequence.saturating_add(wire::size(at)), entry))
    }
}

fn wrong_kind(frame: &Frame) -> DecodeError {
    DecodeError::WrongKind {
        expected: RecordKind::Index,
        found: frame.head.kind(),
    }
}

impl SegmentRef {
    /// The encoded length in bytes.
    pub const LENGTH: usize = 32;

    /// The sequence number behind the segment's last block.
    pub const fn end(&self) -> u64 {
        self.sequence.saturating_add(self.count as u64)
    }

    /// The length of the segment's record, a multiple of 4096.
    pub const fn record_length(&self) -> u64 {
        let payload = self.count.saturating_mul(IndexEntry::BYTES);
        crate::record::length(payload)
    }

    pub(crate) fn decode_run(
        fields: &mut Fields<'_>,
        count: usize,
    ) -> Result<Vec<Self>, DecodeError> {
        let mut segments: Vec<Self> =
            Vec::with_capacity(count.min(fields.rest().len() / Self::LENGTH));
        let (mut sequence, mut start) = (0, None);
        for _ in 0..count {
            let segment: Self = fields.record(Self::LENGTH)?;
            if segment.sequence != sequence {
                return Err(fields.invalid("sequence of a segment", segment.sequence));
            }
            let grows = start.map_or(segment.start == 0, |before| segment.start > before);
            if !grows {
                return Err(fields.invalid("start of a segment", segment.start));
            }
            let in_file =
                segment.position.is_multiple_of(ALIGNMENT) && segment.position <= MAX_FILE_LENGTH;
            if !in_file || segment.position == 0 {
                return Err(fields.invalid("position of a segment", segment.position));
            }
            if segment.count == 0 || u64::from(segment.count) > wire::size(MAX_INDEX_ENTRIES) {
                return Err(fields.invalid("entries of a segment", segment.count.into()));
            }
            (sequence, start) = (segment.end(), Some(segment.start));
            segments.push(segment);
        }
        Ok(segments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::BlockHeader;

    const POSITION: Position = Position {
        file: Uuid::from_u128(1),
        offset: 40_960,
        ordinal: 2,
    };

    fn segment() -> IndexSegment {
        let session = Uuid::from_u128(5);
        let entry = |sequence| {
            let header = BlockHeader::for_raw(session, 3, sequence, sequence * 4, b"rows");
            IndexEntry::of(&header, 4096 * (sequence + 1))
        };
        IndexSegment {
            session,
            stream: 3,
            sequence: 2,
            entries: (2..5).map(entry).collect(),
        }
    }

    #[test]
    fn goes_both_ways() {
        let (record, reference) = segment().encode(&POSITION);
        assert_eq!(wire::size(record.len()), reference.record_length());
        let read = IndexSegment::decode(&record, &POSITION, 3, &reference);
        assert_eq!(read, Ok(segment()));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let (mut record, reference) = segment().encode(&POSITION);
        for bit in 0..record.len() * 8 {
            record[bit / 8] ^= 1 << (bit % 8);
            let read = IndexSegment::decode(&record, &POSITION, 3, &reference);
            assert!(read.is_err(), "bit {bit}");
            record[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn another_segment_than_the_commit_means_is_refused() {
        let (record, reference) = segment().encode(&POSITION);
        let changes: [fn(&mut SegmentRef); 4] = [
            |reference| reference.sequence += 1,
            |reference| reference.start += 1,
            |reference| reference.count += 1,
            |reference| reference.crc ^= 1,
        ];
        for change in changes {
            let mut reference = reference;
            change(&mut reference);
            assert!(IndexSegment::decode(&record, &POSITION, 3, &reference).is_err());
        }
        assert!(IndexSegment::decode(&record, &POSITION, 4, &reference).is_err());
    }

    #[test]
    fn a_segment_that_is_empty_or_has_more_blocks_before_it_than_bytes_is_refused() {
        let decode = |segment: &IndexSegment| {
            let (record, reference) = segment.encode(&POSITION);
            IndexSegment::decode(&record, &POSITION, 3, &reference)
        };
        let mut late = segment();
        late.sequence = 9;
        assert!(decode(&late).is_err());
        let mut empty = segment();
        (empty.sequence, empty.entries) = (0, Vec::new());
        assert!(decode(&empty).is_err());
    }

    #[test]
    fn blocks_are_found_by_number_and_by_place() {
        let segment = segment();
        assert_eq!(segment.entry(1), None);
        assert_eq!(segment.entry(4).map(|entry| entry.start), Some(16));
        assert_eq!(segment.entry(5), None);
        let holding = |offset| segment.entry_at(offset).map(|(sequence, _)| sequence);
        assert_eq!(
            [holding(7), holding(8), holding(19), holding(20)],
            [None, Some(2), Some(4), None]
        );
    }
}
