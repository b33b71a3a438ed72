//! Going on with sessions that were on their way when the server was killed.

mod records;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use vab_chain::{PointId, UtcTime};
use vab_format::vab::{Append, End};

use self::records::{Records, Whole};
use super::layout::NOTE;
use super::{Inner, Repository};
use crate::catalog::{Catalog, Parked, Trust};
use crate::container::{ReadError, read_key_area};
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
    /// is whole of it, which is durable then, and which [`AppendSession::ends`] says. That is at
    /// least what was durable at its last [`AppendSession::sync`], unless the disk has changed it
    /// since: who was told more blocks then must not go on.
    ///
    /// Takes a read of 128 bytes for each block up to the session's note, and reads what is
    /// behind it, at most [`RepositoryOptions::note_interval`](super::RepositoryOptions) and
    /// what was written between two calls of `sync`. Memory: a block at a time.
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
    let target = open(inner, &path, &parked);
    let taken = target.map_err(Failed::from).and_then(|target| {
        let mut note = parked.note.clone();
        match go_on(inner, &target, &mut note) {
            Ok(append) => Ok((target, note, append)),
            Err(Failed::Sync(error)) => {
                inner.abandon(&target, Some(&error.to_string()), true);
                Err(Failed::Sync(error))
            }
            Err(other) => Err(other),
        }
    });
    taken.map_err(|failed| match failed {
        Failed::Sync(source) => TakeUpError::NotDurable { session, source },
        Failed::Read(ReadError::Storage(error)) => {
            inner.catalog().parked.insert(path, parked);
            error.into()
        }
        Failed::Read(source) => {
            let mut notices = Vec::new();
            let storage = &*inner.storage;
            let removed = storage.remove(&path.sibling(NOTE));
            inner.catalog().clean(storage, &path, &parked, &mut notices);
            for notice in notices {
                inner.notice(notice);
            }
            match removed {
                Ok(()) => TakeUpError::Damaged { session, source },
                Err(error) => error.into(),
            }
        }
    })
}

/// Why a session does not go on.
enum Failed {
    /// What is there is not what was durable; or the disk failed, and it may be tried again.
    Read(ReadError),
    /// A sync failed. It is not tried again: the next one could succeed without a byte having
    /// reached the medium.
    Sync(StorageError),
}

impl<E: Into<ReadError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Read(error.into())
    }
}

/// Finds where the session ends, makes that durable, and notes it.
fn go_on(inner: &Inner, target: &Target, note: &mut Note) -> Result<Append, Failed> {
    let file = &target.file;
    let length = file.length()?;
    // What is read may be in memory only. And after a sync that failed in the server before,
    // memory may have bytes that count as written and are not: what is read is asked of the
    // medium, as far as the system lets one.
    file.sync().map_err(Failed::Sync)?;
    file.start_write_back(note.durable, length.saturating_sub(note.durable));
    let mut records = Records::new(target, note, length);
    records.up_to(note.durable)?;
    let Whole { append, missing } = records.pass_what_is_whole()?;
    let end = missing.as_ref().map_or(append.length(), |due| due.offset);
    if length > end {
        // What lay behind has the identity of this session too: it must not come back.
        file.truncate(end)?;
        file.sync().map_err(Failed::Sync)?;
    }
    if let Some(segment) = missing {
        file.write_at(&segment.bytes, segment.offset)?;
        file.sync().map_err(Failed::Sync)?;
    }
    if append.length() > note.durable {
        note.durable = append.length();
        inner.keep(target, note)?;
    }
    Ok(append)
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
