//! Finding every trace of a restore point in a damaged file.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};

use uuid::Uuid;
use vab_format::io::{ReadError, Session, VabReader};
use vab_format::record::{FRAME_LENGTH, Frame, Head, Position};
use vab_format::session::SessionRecord;
use vab_format::vab::{KeyArea, VabHeader};
use vab_format::vasm::Vasm;

use super::SalvageError;
use crate::with_causes;

/// What was found, by the places of the commit records.
pub(super) struct Found<R> {
    pub(super) reader: VabReader<R>,
    /// The header that the new file gets, but for its identity.
    pub(super) header_kept: VabHeader,
    /// What is wrong with the header.
    pub(super) header: Option<String>,
    pub(super) listed: bool,
    pub(super) sessions: BTreeMap<u64, Trace>,
}

/// A restore point that is or was there.
pub(super) enum Trace {
    /// Its commit record is whole.
    Commit(Box<Session>),
    /// Only the metadata still knows of it.
    Listed(Box<SessionRecord>, String),
}

/// Reads the whole file.
pub(super) fn sessions<R: Read + Seek>(
    mut data: R,
    name: &str,
    metadata: Option<Vasm>,
) -> Result<Found<R>, SalvageError> {
    let failed = |error: ReadError| match error {
        ReadError::Io(source) => SalvageError::Read {
            file: name.to_owned(),
            source,
        },
        _ => SalvageError::NotAVab {
            file: name.to_owned(),
        },
    };
    let io = |source| failed(ReadError::Io(source));
    let (header, wrong) = match own_header(&mut data).map_err(io)? {
        Ok(header) => (header, None),
        Err(wrong) => {
            let header = match &metadata {
                Some(metadata) => Some(metadata.header.clone()),
                None => guessed(&mut data).map_err(io)?,
            };
            let header = header.ok_or_else(|| SalvageError::NotAVab {
                file: name.to_owned(),
            })?;
            (header, Some(wrong))
        }
    };
    let metadata = metadata.filter(|metadata| metadata.header.file == header.file);
    let mut reader = VabReader::with_header(data, header).map_err(failed)?;
    let mut sessions = BTreeMap::new();
    for session in reader.salvage().map_err(failed)? {
        let trace = Trace::Commit(Box::new(session.clone()));
        sessions.insert(session.position.offset, trace);
    }
    let listed = metadata.is_some();
    for (number, stored) in (1..).zip(metadata.map(|m| m.sessions).unwrap_or_default()) {
        let position = Position {
            file: reader.header().file,
            offset: stored.commit_offset,
            ordinal: number,
        };
        let lost = |wrong| Trace::Listed(Box::new(stored.record.clone()), wrong);
        match reader.session_at(position) {
            Ok(session) if session.commit.session == stored.record => {}
            Ok(_) => {
                let wrong = "another commit record stands in its place".to_owned();
                sessions.insert(stored.commit_offset, lost(wrong));
            }
            Err(ReadError::Io(source)) => return Err(io(source)),
            Err(error) => {
                let wrong = format!("its commit record: {}", with_causes(&error));
                sessions.insert(stored.commit_offset, lost(wrong));
            }
        }
    }
    let mut header_kept = reader.header().clone();
    if let Some(Trace::Commit(session)) = sessions.values().next() {
        let record = &session.commit.session;
        if header_kept.job.is_empty() {
            // A guessed one: every session says its job and database itself.
            header_kept.job.clone_from(&record.job);
            header_kept.database.clone_from(&record.database);
            header_kept.created = record.started;
        }
        if record.encrypted && !header_kept.features.is_encrypted() {
            header_kept = header_kept.encrypted();
        }
    }
    Ok(Found {
        reader,
        header_kept,
        header: wrong,
        listed,
        sessions,
    })
}

fn own_header<R: Read + Seek>(data: &mut R) -> std::io::Result<Result<VabHeader, String>> {
    data.seek(SeekFrom::Start(0))?;
    let mut page = Vec::new();
    data.take(VabHeader::LENGTH as u64).read_to_end(&mut page)?;
    Ok(VabHeader::decode(&page).map_err(|error| error.to_string()))
}

/// A header with the identity that the records say, when there is any.
fn guessed<R: Read + Seek>(data: &mut R) -> std::io::Result<Option<VabHeader>> {
    let mut offset = VabHeader::LENGTH as u64;
    data.seek(SeekFrom::Start(offset))?;
    loop {
        let mut page = Vec::with_capacity(4096);
        data.take(4096).read_to_end(&mut page)?;
        let Some(bytes) = page.first_chunk::<FRAME_LENGTH>() else {
            return Ok(None);
        };
        let frame = Frame::decode(bytes).ok();
        if let Some(frame) = frame.filter(|frame| frame.placement.offset == offset) {
            let encrypted = matches!(frame.head, Head::Block(header) if header.is_encrypted());
            let header = VabHeader::new(frame.placement.file, Uuid::new_v4(), "", "", 0);
            return Ok(Some(if encrypted {
                header.encrypted()
            } else {
                header
            }));
        }
        offset += 4096;
    }
}

/// The key slots of the damaged file, as far as they can be read.
pub(super) fn key_area<R: Read + Seek>(reader: &mut VabReader<R>) -> KeyArea {
    let area = reader.key_area().unwrap_or_default();
    KeyArea::decode(&area).unwrap_or_default()
}
