//! A restore point on its way back out.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use vab_chain::PointId;
use vab_format::block::BlockHeader;
use vab_format::record::{FRAME_LENGTH, Head, Position};
use vab_format::stream::StreamEnd;
use vab_format::vab::{Commit, Found, IndexEntry, IndexSegment, SegmentRef};

use super::buffers::Buffers;
use crate::container::{FoundCommit, ReadError, VabFile, decode_frame, read_key_area};
use crate::point::StoredPoint;

/// Reads any block of a restore point, in any order, from any number of threads.
///
/// Every block is checked: its checksums, that it is the block that was asked for, and that it
/// was written at this place of this file.
#[derive(Debug)]
pub struct SessionReader {
    vab: VabFile,
    commit: Commit,
    point: StoredPoint,
    ordinal: u64,
    commit_offset: u64,
    /// The index segment that each stream was read through last.
    segments: Vec<Mutex<Option<Arc<IndexSegment>>>>,
    buffers: Buffers,
}

impl SessionReader {
    pub(crate) fn new(vab: VabFile, found: FoundCommit, point: StoredPoint) -> Self {
        let segments = found
            .commit
            .streams
            .iter()
            .map(|_| Mutex::default())
            .collect();
        Self {
            vab,
            ordinal: found.position.ordinal,
            commit_offset: found.position.offset,
            commit: found.commit,
            point,
            segments,
            buffers: Buffers::default(),
        }
    }

    /// The restore point.
    pub fn point(&self) -> &StoredPoint {
        &self.point
    }

    /// The key slots of its file, to unlock its blocks with; `None` when it is not encrypted.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn key_area(&self) -> Result<Option<Vec<u8>>, ReadError> {
        read_key_area(&*self.vab.file, &self.vab.header)
    }

    /// The totals of its streams, in the order of their numbers.
    pub fn streams(&self) -> &[StreamEnd] {
        &self.commit.session.streams
    }

    /// The block with that sequence number, as it was written: payload still encoded.
    ///
    /// # Errors
    /// When there is no such block, the disk fails, or the block is damaged.
    pub fn read_block(
        &self,
        stream: u16,
        sequence: u64,
    ) -> Result<(BlockHeader, Bytes), ReadError> {
        let no_such = || ReadError::NoSuchBlock {
            point: self.point.id,
            stream,
            sequence,
        };
        let index = self
            .commit
            .streams
            .get(usize::from(stream))
            .ok_or_else(no_such)?;
        match index.find(sequence).ok_or_else(no_such)? {
            Found::Entry(_, entry) => self.read_entry(stream, sequence, entry),
            Found::Segment(reference) => {
                let segment = self.segment(stream, reference)?;
                let entry = segment.entry(sequence).ok_or_else(no_such)?;
                self.read_entry(stream, sequence, entry)
            }
        }
    }

    /// The sequence number of the block that holds the raw byte at `offset` of a stream; `None`
    /// when the stream ends before it.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn block_at(&self, stream: u16, offset: u64) -> Result<Option<u64>, ReadError> {
        let index = self.commit.streams.get(usize::from(stream));
        match index.and_then(|index| index.find_offset(offset)) {
            None => Ok(None),
            Some(Found::Entry(sequence, _)) => Ok(Some(sequence)),
            Some(Found::Segment(reference)) => {
                let segment = self.segment(stream, reference)?;
                Ok(segment.entry_at(offset).map(|(sequence, _)| sequence))
            }
        }
    }

    /// Where the commit record begins in the file.
    pub(crate) fn commit_offset(&self) -> u64 {
        self.commit_offset
    }

    pub(crate) fn commit(&self) -> &Commit {
        &self.commit
    }

    /// The entries of a segment, checked against its checksum.
    pub(crate) fn segment(
        &self,
        stream: u16,
        reference: &SegmentRef,
    ) -> Result<Arc<IndexSegment>, ReadError> {
        let slot = self.segments.get(usize::from(stream));
        let mut slot = slot.map(|slot| slot.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(Some(cached)) = slot.as_deref()
            && cached.sequence == reference.sequence
        {
            return Ok(Arc::clone(cached));
        }
        let position = self.position(reference.position);
        let wrong = |source| self.vab.damaged(reference.position, source);
        let length = usize::try_from(reference.record_length()).unwrap_or(usize::MAX);
        let record = self.vab.exactly(reference.position, length)?;
        let segment = IndexSegment::decode(&record, &position, stream, reference).map_err(wrong)?;
        self.of_this(reference.position, segment.session)?;
        let segment = Arc::new(segment);
        if let Some(slot) = slot.as_deref_mut() {
            *slot = Some(Arc::clone(&segment));
        }
        Ok(segment)
    }

    /// The block that `entry` says where it is.
    pub(crate) fn read_entry(
        &self,
        stream: u16,
        sequence: u64,
        entry: &IndexEntry,
    ) -> Result<(BlockHeader, Bytes), ReadError> {
        let at = entry.position;
        let wrong = |source| self.vab.damaged(at, source);
        // An entry's lengths were checked against the limits when the index was read.
        let length = usize::try_from(entry.record_length()).unwrap_or(usize::MAX);
        let mut record = self.buffers.take(length);
        self.vab.fill(at, record.bytes_mut())?;
        let frame = decode_frame(record.as_ref(), &self.position(at)).map_err(wrong)?;
        let body = record.as_ref().get(FRAME_LENGTH..).unwrap_or_default();
        let payload_length = frame.payload(body).map_err(wrong)?.len();
        self.of_this(at, frame.head.session())?;
        let Head::Block(header) = frame.head else {
            return Err(wrong(vab_format::DecodeError::WrongKind {
                expected: vab_format::record::RecordKind::Block,
                found: frame.head.kind(),
            }));
        };
        if header.stream != stream || header.sequence != sequence || !entry.is_of(&header) {
            return Err(wrong(vab_format::DecodeError::OutOfSequence {
                stream: header.stream,
                expected: sequence,
                found: header.sequence,
            }));
        }
        let payload = Bytes::from_owner(record).slice(FRAME_LENGTH..FRAME_LENGTH + payload_length);
        Ok((header, payload))
    }

    fn of_this(&self, offset: u64, found: uuid::Uuid) -> Result<(), ReadError> {
        let PointId(expected) = self.point.id;
        if found == expected {
            return Ok(());
        }
        let file = self.point.file.clone();
        Err(ReadError::AnotherSession {
            file,
            offset,
            expected,
            found,
        })
    }

    fn position(&self, offset: u64) -> Position {
        Position {
            file: self.vab.header.file,
            offset,
            ordinal: self.ordinal,
        }
    }
}
