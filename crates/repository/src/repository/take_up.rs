//! Going on with sessions that were on their way when the server was killed.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use vab_chain::{PointId, UtcTime};
use vab_format::record::{FRAME_LENGTH, Head};
use vab_format::vab::{Append, End, Walk, Walked};
use vab_format::{DecodeError, Part};

use super::layout::NOTE;
use super::{Inner, Repository};
use crate::catalog::{Catalog, Parked, Trust};
use crate::container::{ReadError, VabFile, read_key_area};
use crate::session::{
    AppendSession, NewFile, Note, Place, Placement, SessionRequest, TakeUpError, Target,
};
use crate::storage::{Access, StorageError, StoragePath};

/// A session that was on its way when the server was killed, and can be taken up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interrupted {
    /// Its identity.
    pub session: PointId,
    /// The file it is written to.
    pub file: StoragePath,
    /// What it was begun with.
    pub request: SessionRequest,
}

impl Repository {
    /// The sessions that can be taken up.
    pub fn interrupted(&self) -> Vec<Interrupted> {
        let catalog = self.inner.catalog();
        let parked = catalog.parked.iter();
        parked
            .map(|(file, parked)| Interrupted {
                session: PointId(parked.note.session),
                file: file.clone(),
                request: parked.note.request.clone(),
            })
            .collect()
    }

    /// Takes a session up that was on its way when the server was killed: it goes on behind what
    /// was durable at its last [`AppendSession::sync`], which [`AppendSession::ends`] says.
    ///
    /// It can be taken up when [`AppendSession::keep_key`] was called with this key, until
    /// [`RepositoryOptions::keep_interrupted`](super::RepositoryOptions) has passed or another
    /// session of the same job and database begins.
    ///
    /// # Errors
    /// When nothing is kept of it, or what was kept is damaged, or the disk fails.
    pub fn take_up(&self, session: PointId, key: [u8; 16]) -> Result<AppendSession, TakeUpError> {
        let inner = &self.inner;
        let Some(tenure) = &inner.tenure else {
            return Err(TakeUpError::ReadOnly);
        };
        tenure.check(&*inner.storage)?;
        // Counted before the catalog is looked at, so that a rescan knows of it.
        inner.running.fetch_add(1, Ordering::SeqCst);
        let taken = take_up(inner, session, key);
        if taken.is_err() {
            inner.running.fetch_sub(1, Ordering::SeqCst);
        }
        let (target, note, append) = taken?;
        tracing::info!("session {session} goes on in {}", target.placement.file());
        let place: Arc<dyn Place> = Arc::<Inner>::clone(inner);
        Ok(AppendSession::taken_up(place, target, note, append))
    }
}

impl Inner {
    /// Gives up the sessions that nobody came for in time.
    pub(super) fn give_up_late(&self, now: UtcTime) -> Result<(), StorageError> {
        if now <= self.parked_until {
            return Ok(());
        }
        let mut notices = Vec::new();
        let result = self
            .catalog()
            .give_up(&*self.storage, |_| true, &mut notices);
        for notice in notices {
            self.notice(notice);
        }
        result
    }
}

fn take_up(
    inner: &Inner,
    session: PointId,
    key: [u8; 16],
) -> Result<(Target, Note, Append), TakeUpError> {
    let unknown = TakeUpError::Unknown { session };
    let (path, parked) = {
        let mut catalog = inner.catalog();
        let mut parked = catalog.parked.iter();
        let found = parked
            .find(|(_, parked)| parked.note.session == session.0 && parked.note.key == key)
            .map(|(path, _)| path.clone());
        let Some(path) = found else {
            return Err(unknown);
        };
        let Some(parked) = catalog.parked.remove(&path) else {
            return Err(unknown);
        };
        (path, parked)
    };
    // Its file stays marked as being written, so nobody else begins there.
    let taken = open(inner, &path, &parked)
        .and_then(|target| Ok((replay(&target, &parked.note)?, target)))
        .and_then(|(append, target)| {
            let length = target.file.length()?;
            if length > parked.note.durable {
                target.file.truncate(parked.note.durable)?;
            }
            // What lay behind has the identity of this session too: it must not come back.
            target.file.sync()?;
            Ok((target, append))
        });
    match taken {
        Ok((target, append)) => Ok((target, parked.note, append)),
        Err(ReadError::Storage(error)) => {
            inner.catalog().parked.insert(path, parked);
            Err(error.into())
        }
        Err(source) => {
            let mut notices = Vec::new();
            let storage = &*inner.storage;
            let removed = storage.remove(&path.sibling(NOTE));
            inner.catalog().clean(storage, &path, &parked, &mut notices);
            for notice in notices {
                inner.notice(notice);
            }
            removed?;
            Err(TakeUpError::Damaged { session, source })
        }
    }
}

/// Opens the file that a session was written to.
fn open(inner: &Inner, path: &StoragePath, parked: &Parked) -> Result<Target, ReadError> {
    let gone = || ReadError::NoSuchPoint {
        point: PointId(parked.note.session),
    };
    let (file, header, end, placement) = if let Some(header) = &parked.new_file {
        let file = inner.storage.open_unpublished(path)?.ok_or_else(gone)?;
        let placement = Placement::New {
            file: path.clone(),
            reason: NewFile::TakenUp,
        };
        (file, header.clone(), End::of_new(header), placement)
    } else {
        let (header, end) = sound_end(&inner.catalog(), path).ok_or_else(gone)?;
        let file = inner.storage.open(path, Access::Write)?;
        let placement = Placement::Append { file: path.clone() };
        (file, header, end, placement)
    };
    let key_area = read_key_area(&*file, &header)?;
    Ok(Target {
        file,
        header,
        key_area,
        placement,
        end,
    })
}

fn sound_end(catalog: &Catalog, path: &StoragePath) -> Option<(vab_format::vab::VabHeader, End)> {
    let known = catalog.file(path)?;
    match &known.trust {
        Trust::Sound(end) => Some((known.metadata.header.clone(), End::clone(end))),
        Trust::ReadOnly(_) => None,
    }
}

/// Goes past every record up to the durable end, as the session did when it wrote them.
fn replay(target: &Target, note: &Note) -> Result<Append, ReadError> {
    let vab = VabFile {
        file: Arc::clone(&target.file),
        header: target.header.clone(),
    };
    let mut walk = Walk::from(target.end.clone(), note.durable);
    let mut append = Append::begin(target.end.clone(), note.session, note.request.streams);
    while append.length() < note.durable {
        let at = walk.position().offset;
        let damaged = |source| vab.damaged(at, source);
        let header = match frame(&vab, &mut walk)? {
            Head::Block(header) => header,
            other => {
                return Err(damaged(DecodeError::WrongKind {
                    expected: vab_format::record::RecordKind::Block,
                    found: other.kind(),
                }));
            }
        };
        append.block(&header).map_err(damaged)?;
        if let Some(segment) = append.segment() {
            let there = vab.exactly(segment.offset, segment.bytes.len())?;
            if there != segment.bytes {
                return Err(vab.damaged(
                    segment.offset,
                    DecodeError::Checksum {
                        part: Part::IndexSegment,
                        expected: vab_format::checksum::crc32c(&segment.bytes),
                        found: vab_format::checksum::crc32c(&there),
                    },
                ));
            }
            frame(&vab, &mut walk)?;
        }
    }
    if append.length() == note.durable {
        return Ok(append);
    }
    let source = DecodeError::Disagrees {
        part: Part::Placement,
        field: "durable length",
        expected: note.durable,
        found: append.length(),
    };
    Err(vab.damaged(note.durable, source))
}

fn frame(vab: &VabFile, walk: &mut Walk) -> Result<Head, ReadError> {
    let at = walk.position().offset;
    let bytes = vab.exactly(at, FRAME_LENGTH)?;
    let cut_short = DecodeError::Truncated {
        part: Part::RecordHeader,
        needed: FRAME_LENGTH as u64,
        found: bytes.len() as u64,
    };
    let bytes = bytes
        .first_chunk()
        .ok_or_else(|| vab.damaged(at, cut_short))?;
    match walk
        .frame(bytes)
        .map_err(|source| vab.damaged(at, source))?
    {
        Walked::Passed(frame) => Ok(frame.head),
        Walked::Commit { .. } => Err(vab.damaged(
            at,
            DecodeError::WrongKind {
                expected: vab_format::record::RecordKind::Block,
                found: vab_format::record::RecordKind::Commit,
            },
        )),
    }
}
