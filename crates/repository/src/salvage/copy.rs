//! Writing what is whole into a new file.

use std::collections::BTreeSet;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use vab_format::io::{Session, VabReader, VabWriter, WriteError};
use vab_format::vab::VabHeader;

use super::find::{self, Found, Trace};
use super::{Outcome, SalvageError, SalvageReport, SalvagedPoint};
use crate::storage::{DataFile, Storage, StoragePath};
use crate::with_causes;

/// Writes every whole session into a new file at `path`, and publishes it when there is one.
pub(super) fn whole_sessions<R: Read + Seek>(
    found: &mut Found<R>,
    header: VabHeader,
    to: &dyn Storage,
    path: &StoragePath,
    report: &mut SalvageReport,
) -> Result<bool, SalvageError> {
    let file = to.create(path)?;
    let sink = Sink {
        file: Arc::clone(&file),
        position: 0,
    };
    let mut writer = if header.features.is_encrypted() {
        let area = find::key_area(&mut found.reader);
        report.key_slots = Some(area.slots().count());
        VabWriter::create_encrypted(sink, header, &area)
    } else {
        VabWriter::create(sink, &header)
    }
    .map_err(SalvageError::Write)?;
    let mut seen = BTreeSet::new();
    for trace in found.sessions.values() {
        let (record, outcome) = match trace {
            Trace::Listed(record, wrong) => (
                &**record,
                Outcome::Lost {
                    reason: wrong.clone(),
                },
            ),
            Trace::Commit(session) => {
                let record = &session.commit.session;
                let reason = if seen.contains(&record.id) {
                    Some("it is there twice; the first was saved".to_owned())
                } else {
                    copy(&mut found.reader, session, &mut writer)?
                };
                if reason.is_none() {
                    seen.insert(record.id);
                }
                let outcome = reason.map_or(Outcome::Saved, |reason| Outcome::Lost { reason });
                (record, outcome)
            }
        };
        report.points.push(SalvagedPoint::new(record, outcome));
    }
    // What a session left that turned out to be damaged in its middle.
    let end = writer.end().committed_length;
    drop(writer);
    if seen.is_empty() {
        to.discard(path)?;
        return Ok(false);
    }
    file.truncate(end)?;
    file.sync()?;
    to.publish(path)?;
    Ok(true)
}

/// Copies a session; says what is wrong with it if something is. Then nothing of it is visible.
fn copy<R: Read + Seek, W: Write + Seek>(
    reader: &mut VabReader<R>,
    session: &Session,
    writer: &mut VabWriter<W>,
) -> Result<Option<String>, SalvageError> {
    let record = session.commit.session.clone();
    let streams = u16::try_from(record.streams.len()).unwrap_or(u16::MAX);
    let mut out = writer.begin(record.id, streams);
    let longest = record.streams.iter().map(|end| end.blocks).max();
    for sequence in 0..longest.unwrap_or(0) {
        for end in &record.streams {
            if sequence >= end.blocks {
                continue;
            }
            let (header, payload) = match reader.block(session, end.stream, sequence) {
                Ok(block) => block,
                Err(vab_format::io::ReadError::Io(error)) => {
                    // A bad place of the medium costs what lies there, and no more.
                    let stream = end.stream;
                    return Ok(Some(format!(
                        "block {sequence} of stream {stream}: {error}"
                    )));
                }
                Err(error) => {
                    let stream = end.stream;
                    return Ok(Some(format!(
                        "block {sequence} of stream {stream}: {}",
                        with_causes(&error)
                    )));
                }
            };
            if let Some(wrong) = wrong(out.write(&header, &payload))? {
                return Ok(Some(wrong));
            }
        }
    }
    wrong(out.commit(record))
}

/// Tells what is wrong with the session from what is wrong with the new disk.
fn wrong(result: Result<(), WriteError>) -> Result<Option<String>, SalvageError> {
    match result {
        Ok(()) => Ok(None),
        Err(error @ WriteError::Io(_)) => Err(SalvageError::Write(error)),
        Err(error) => Ok(Some(with_causes(&error))),
    }
}

/// A data file that is written from one place.
struct Sink {
    file: Arc<dyn DataFile>,
    position: u64,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file
            .write_at(bytes, self.position)
            .map_err(io::Error::other)?;
        self.position += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Sink {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let SeekFrom::Start(position) = to else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        self.position = position;
        Ok(position)
    }
}
