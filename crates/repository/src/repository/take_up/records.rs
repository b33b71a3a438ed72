//! The records of a session that is taken up, passed in the order of their places.

use std::sync::Arc;

use vab_format::block::BlockHeader;
use vab_format::record::{FRAME_LENGTH, Frame, Head, RecordKind};
use vab_format::vab::{Append, PlacedRecord, Walk, Walked};
use vab_format::{DecodeError, Part};

use crate::container::{ReadError, VabFile, undamaged};
use crate::session::{Note, Target};

/// Goes from record to record, as the session did when it wrote them. Memory: one record, at most
/// 4 MiB and a little, beside what the session itself needs.
pub(super) struct Records {
    vab: VabFile,
    walk: Walk,
    append: Append,
    encrypted: bool,
    /// Of the record that was read last.
    body: Vec<u8>,
}

/// How far the records of a session are whole.
pub(super) struct Whole {
    /// Past every one of them.
    pub(super) append: Append,
    /// The index segment that was due behind the last block and is not there.
    pub(super) missing: Option<PlacedRecord>,
}

impl Records {
    /// Before the first record of the session in a file of that length.
    pub(super) fn new(target: &Target, note: &Note, file_length: u64) -> Self {
        let end = target.end.clone();
        Self {
            vab: VabFile {
                file: Arc::clone(&target.file),
                header: target.header.clone(),
            },
            walk: Walk::from(end.clone(), file_length),
            append: Append::begin(end, note.session, note.request.streams),
            encrypted: note.request.encrypted,
            body: Vec::new(),
        }
    }

    /// Passes what is known to be durable; payloads are not read.
    ///
    /// # Errors
    /// When the disk fails, or a record is not as it was.
    pub(super) fn up_to(&mut self, durable: u64) -> Result<(), ReadError> {
        while self.append.length() < durable {
            let at = self.walk.position().offset;
            let (_, header) = self.block()?;
            let passed = self.append.block(&header);
            passed.map_err(|source| self.vab.damaged(at, source))?;
            if let Some(segment) = self.append.segment() {
                self.segment(&segment)?;
            }
        }
        if self.append.length() == durable {
            return Ok(());
        }
        let source = DecodeError::Disagrees {
            part: Part::Placement,
            field: "durable length",
            expected: durable,
            found: self.append.length(),
        };
        Err(self.vab.damaged(durable, source))
    }

    /// Goes on as far as the records are whole, each byte of them, and of this session. Where it
    /// ends there is a record that was on its way when the server ended, or none.
    ///
    /// A sync covers every record that had a place, so this comes past all that was ever
    /// acknowledged, unless the disk changed it.
    ///
    /// # Errors
    /// When the disk fails. What is wrong is no error here.
    pub(super) fn pass_what_is_whole(mut self) -> Result<Whole, ReadError> {
        let mut missing = None;
        while missing.is_none()
            && let Some(header) = undamaged(self.whole_block())?
            && self.append.block(&header).is_ok()
        {
            if let Some(segment) = self.append.segment()
                && undamaged(self.segment(&segment))?.is_none()
            {
                missing = Some(segment);
            }
        }
        let append = self.append;
        Ok(Whole { append, missing })
    }

    /// The next record, a block, with its payload checked.
    fn whole_block(&mut self) -> Result<BlockHeader, ReadError> {
        let at = self.walk.position().offset;
        let (frame, header) = self.block()?;
        let damaged = |source| self.vab.damaged(at, source);
        if header.is_encrypted() != self.encrypted {
            return Err(damaged(DecodeError::InvalidValue {
                part: Part::BlockHeader,
                field: "encryption",
                found: header.is_encrypted().into(),
            }));
        }
        // The frame of a block that was decoded keeps to the limits.
        let length = usize::try_from(frame.placement.length).unwrap_or(usize::MAX);
        self.body.resize(length.saturating_sub(FRAME_LENGTH), 0);
        let behind = at.saturating_add(FRAME_LENGTH as u64);
        self.vab.fill(behind, &mut self.body)?;
        frame.payload(&self.body).map_err(damaged)?;
        Ok(header)
    }

    /// The frame of the next record, which is to be a block.
    fn block(&mut self) -> Result<(Frame, BlockHeader), ReadError> {
        let at = self.walk.position().offset;
        let frame = self.frame()?;
        match frame.head {
            Head::Block(header) => Ok((frame, header)),
            other => Err(self.not_a_block(at, other.kind())),
        }
    }

    /// The index segment that is due.
    fn segment(&mut self, due: &PlacedRecord) -> Result<(), ReadError> {
        let there = self.vab.exactly(due.offset, due.bytes.len())?;
        if there != due.bytes {
            return Err(self.vab.damaged(
                due.offset,
                DecodeError::Checksum {
                    part: Part::IndexSegment,
                    expected: vab_format::checksum::crc32c(&due.bytes),
                    found: vab_format::checksum::crc32c(&there),
                },
            ));
        }
        self.frame().map(drop)
    }

    fn frame(&mut self) -> Result<Frame, ReadError> {
        let at = self.walk.position().offset;
        let bytes = self.vab.exactly(at, FRAME_LENGTH)?;
        let cut_short = DecodeError::Truncated {
            part: Part::RecordHeader,
            needed: FRAME_LENGTH as u64,
            found: bytes.len() as u64,
        };
        let bytes = bytes
            .first_chunk()
            .ok_or_else(|| self.vab.damaged(at, cut_short))?;
        let walked = self.walk.frame(bytes);
        match walked.map_err(|source| self.vab.damaged(at, source))? {
            Walked::Passed(frame) => Ok(frame),
            Walked::Commit { .. } => Err(self.not_a_block(at, RecordKind::Commit)),
        }
    }

    fn not_a_block(&self, at: u64, found: RecordKind) -> ReadError {
        let expected = RecordKind::Block;
        self.vab
            .damaged(at, DecodeError::WrongKind { expected, found })
    }
}
