//! A `.VAB` that is open for reading.

use std::ops::Range;
use std::sync::Arc;

use vab_format::record::{FRAME_LENGTH, Frame, Position, RecordKind};
use vab_format::vab::{Commit, KeyArea, VabHeader};
use vab_format::{DecodeError, Part, limits};

use super::ReadError;
use crate::storage::DataFile;

/// A `.VAB` that is open for reading.
#[derive(Clone, Debug)]
pub(crate) struct VabFile {
    pub(crate) file: Arc<dyn DataFile>,
    pub(crate) header: VabHeader,
}

/// A commit record and where it lies.
#[derive(Clone, Debug)]
pub(crate) struct FoundCommit {
    pub(crate) commit: Commit,
    pub(crate) position: Position,
    /// The length of its record.
    pub(crate) length: u64,
}

impl VabFile {
    /// Reads the header.
    pub(crate) fn open(file: Arc<dyn DataFile>) -> Result<Self, ReadError> {
        let mut bytes = vec![0; VabHeader::LENGTH];
        let found = file.read_at(&mut bytes, 0)?;
        bytes.truncate(found);
        let header = VabHeader::decode(&bytes).map_err(|source| damaged(&*file, 0, source))?;
        Ok(Self { file, header })
    }

    /// The bytes from `offset` on, exactly so many.
    pub(crate) fn exactly(&self, offset: u64, length: usize) -> Result<Vec<u8>, ReadError> {
        let mut bytes = vec![0; length];
        self.fill(offset, &mut bytes)?;
        Ok(bytes)
    }

    /// Fills `bytes` from `offset` on.
    pub(crate) fn fill(&self, offset: u64, bytes: &mut [u8]) -> Result<(), ReadError> {
        let found = self.file.read_at(bytes, offset)?;
        if found == bytes.len() {
            return Ok(());
        }
        let cut_short = DecodeError::Truncated {
            part: Part::RecordPayload,
            needed: bytes.len() as u64,
            found: found as u64,
        };
        Err(self.damaged(offset, cut_short))
    }

    /// The commit record that is due at `position`.
    pub(crate) fn commit_at(&self, position: Position) -> Result<FoundCommit, ReadError> {
        // Nearly all commit records fit into one page and are read at once.
        let wrong = |source| self.damaged(position.offset, source);
        let mut record = self.exactly(position.offset, PAGE)?;
        let frame = decode_frame(&record, &position).map_err(wrong)?;
        let length = commit_length(&frame).map_err(wrong)?;
        if length > record.len() {
            record = self.exactly(position.offset, length)?;
        }
        let commit = Commit::decode(&record, &position).map_err(wrong)?;
        Ok(FoundCommit {
            commit,
            position,
            length: length as u64,
        })
    }

    /// The commit before `from` with that ordinal, over the links.
    pub(crate) fn commit_before(
        &self,
        from: FoundCommit,
        ordinal: u64,
    ) -> Result<FoundCommit, ReadError> {
        let mut here = from;
        while let Some((reached, offset)) = here.commit.links.toward(here.position.ordinal, ordinal)
        {
            let position = Position {
                file: self.header.file,
                offset,
                ordinal: reached,
            };
            here = self.commit_at(position)?;
        }
        Ok(here)
    }

    pub(crate) fn damaged(&self, offset: u64, source: DecodeError) -> ReadError {
        damaged(&*self.file, offset, source)
    }
}

/// The key slots of an encrypted file; `None` when it is not encrypted.
pub(crate) fn read_key_area(
    file: &dyn DataFile,
    header: &VabHeader,
) -> Result<Option<Vec<u8>>, ReadError> {
    if !header.features.is_encrypted() {
        return Ok(None);
    }
    let Range { start, end } = KeyArea::RANGE;
    let length = usize::try_from(end - start).unwrap_or_default();
    let mut area = vec![0; length];
    let found = file.read_at(&mut area, start)?;
    area.truncate(found);
    KeyArea::decode(&area).map_err(|source| damaged(file, start, source))?;
    Ok(Some(area))
}

const PAGE: usize = 4096;

/// The length of a commit record, once its frame says that it is one.
fn commit_length(frame: &Frame) -> Result<usize, DecodeError> {
    let found = frame.head.kind();
    if found != RecordKind::Commit {
        return Err(DecodeError::WrongKind {
            expected: RecordKind::Commit,
            found,
        });
    }
    let over = DecodeError::OverLimit {
        part: Part::Commit,
        field: "length",
        length: frame.placement.length,
        limit: limits::MAX_COMMIT_LENGTH.into(),
    };
    usize::try_from(frame.placement.length).map_err(|_| over)
}

pub(crate) fn decode_frame(bytes: &[u8], position: &Position) -> Result<Frame, DecodeError> {
    let bytes = bytes.first_chunk().ok_or(DecodeError::Truncated {
        part: Part::RecordHeader,
        needed: FRAME_LENGTH as u64,
        found: bytes.len() as u64,
    })?;
    Frame::decode_at(bytes, position)
}

fn damaged(file: &dyn DataFile, offset: u64, source: DecodeError) -> ReadError {
    ReadError::Damaged {
        file: file.path().clone(),
        offset,
        source,
    }
}
