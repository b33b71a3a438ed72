//! `.VAB`, record by record.

use uuid::Uuid;
use vab_format::record::{FRAME_LENGTH, Frame, Head, Position, RecordKind};
use vab_format::vab::{Commit, VabHeader};
use vab_format::{DecodeError, limits};

use super::metadata::session_text;
use super::{InspectOptions, Inspection, RecordLine, header_fields};
use crate::storage::{DataFile, StorageError};

/// Records begin at multiples of this.
const STEP: u64 = limits::ALIGNMENT;

pub(super) fn inspect(
    file: &dyn DataFile,
    length: u64,
    options: InspectOptions,
    inspection: &mut Inspection,
) -> Result<(), StorageError> {
    let header = read(file, 0, VabHeader::LENGTH)?;
    let header = VabHeader::decode(&header);
    let mut look = Look {
        file,
        options,
        id: None,
        ordinal: 1,
        committed: 0,
    };
    let start = match &header {
        Ok(header) => {
            header_fields(header, inspection);
            look.id = Some(header.file);
            header.data_start
        }
        Err(error) => {
            inspection.problem(0, error.to_string());
            STEP
        }
    };
    look.committed = start;
    look.records(start, length, inspection)?;
    inspection.field("sessions", look.ordinal - 1);
    inspection.field("committed length", look.committed);
    if look.committed < length {
        let text = format!(
            "{} bytes behind the last commit that was found: a session on its way, one that was \
             never committed, or damage",
            length - look.committed
        );
        inspection.problem(look.committed, text);
    }
    Ok(())
}

/// A look from record to record.
struct Look<'a> {
    file: &'a dyn DataFile,
    options: InspectOptions,
    /// The identity of the file; learnt from the first record when the header is damaged.
    id: Option<Uuid>,
    /// The session that is due.
    ordinal: u64,
    committed: u64,
}

impl Look<'_> {
    fn records(
        &mut self,
        start: u64,
        length: u64,
        inspection: &mut Inspection,
    ) -> Result<(), StorageError> {
        let mut at = start;
        let mut lost_from = None;
        while at < length {
            match self.frame(at)? {
                Ok(frame) => {
                    if let Some(from) = lost_from.take() {
                        let text = format!("no record is made out in {} bytes", at - from);
                        inspection.problem(from, text);
                    }
                    self.record(&frame, inspection)?;
                    at = frame.placement.end();
                }
                Err(error) => {
                    if lost_from.is_none() {
                        inspection.problem(at, error.to_string());
                        lost_from = Some(at);
                    }
                    at += STEP;
                }
            }
        }
        Ok(())
    }

    /// The frame of the record that begins at `at`, when one does.
    fn frame(&mut self, at: u64) -> Result<Result<Frame, DecodeError>, StorageError> {
        let bytes = read(self.file, at, FRAME_LENGTH)?;
        let Some(bytes) = bytes.first_chunk() else {
            return Ok(Err(DecodeError::Truncated {
                part: vab_format::Part::RecordHeader,
                needed: FRAME_LENGTH as u64,
                found: bytes.len() as u64,
            }));
        };
        let checked = Frame::decode(bytes).and_then(|frame| {
            let file = *self.id.get_or_insert(frame.placement.file);
            // A record of any session is shown; a wrong number is said with it.
            let ordinal = frame.placement.ordinal;
            frame.check_at(&Position {
                file,
                offset: at,
                ordinal,
            })?;
            Ok(frame)
        });
        Ok(checked)
    }

    fn record(&mut self, frame: &Frame, inspection: &mut Inspection) -> Result<(), StorageError> {
        let placement = frame.placement;
        let kind = frame.head.kind();
        let mut text = describe(frame);
        if placement.ordinal != self.ordinal {
            let wrong = format!(
                "a record of session {}, {} is due",
                placement.ordinal, self.ordinal
            );
            inspection.problem(placement.offset, wrong);
        }
        if kind == RecordKind::Commit || self.options.payloads {
            let length = usize::try_from(placement.length).unwrap_or(usize::MAX);
            let record = read(self.file, placement.offset, length)?;
            let body = record.get(FRAME_LENGTH..).unwrap_or_default();
            if let Err(error) = frame.payload(body) {
                inspection.problem(placement.offset, format!("{kind}: {error}"));
            } else if kind == RecordKind::Commit {
                match self.commit(frame, &record) {
                    Ok(commit) => text = session_text(&commit.session),
                    Err(error) => inspection.problem(placement.offset, error.to_string()),
                }
            }
        }
        inspection.record(
            self.options.records,
            RecordLine {
                offset: placement.offset,
                length: placement.length,
                kind: kind.to_string(),
                text,
            },
        );
        Ok(())
    }

    fn commit(&mut self, frame: &Frame, record: &[u8]) -> Result<Commit, DecodeError> {
        let placement = frame.placement;
        let position = Position {
            file: placement.file,
            offset: placement.offset,
            ordinal: placement.ordinal,
        };
        let commit = Commit::decode(record, &position)?;
        self.ordinal = placement.ordinal.saturating_add(1);
        self.committed = placement.end();
        Ok(commit)
    }
}

fn describe(frame: &Frame) -> String {
    match &frame.head {
        Head::Block(block) => format!(
            "session {}, stream {}, block {}, {} bytes at {}, {} {} bytes stored{}",
            frame.placement.ordinal,
            block.stream,
            block.sequence,
            block.raw_length,
            block.offset,
            block.codec,
            block.stored_length,
            if block.is_encrypted() {
                ", encrypted"
            } else {
                ""
            },
        ),
        Head::Other(header) => format!(
            "session {}, stream {}, {} entries from block {} on",
            frame.placement.ordinal, header.stream, header.count, header.sequence,
        ),
        _ => String::new(),
    }
}

/// Up to so many bytes; fewer at the end of the file.
fn read(file: &dyn DataFile, at: u64, length: usize) -> Result<Vec<u8>, StorageError> {
    let mut bytes = vec![0; length];
    let found = file.read_at(&mut bytes, at)?;
    bytes.truncate(found);
    Ok(bytes)
}
