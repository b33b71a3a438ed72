//! A backup repository: what is in it, and who may write it.

mod begin;
mod error;
pub mod fuzzing;
pub(crate) mod layout;
mod marker;
mod open;
mod owner;
mod place;
mod rescan;
mod retention;
mod survey;
mod take_up;

use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use uuid::Uuid;
use vab_chain::{PointId, UtcTime};

use crate::catalog::{Catalog, Mode, Notice};
use crate::container::{ReadError, VabFile};
use crate::names::DiskName;
use crate::point::StoredPoint;
use crate::session::{AppendSession, BeginError, SessionReader, SessionRequest};
use crate::storage::{
    Access, HostFileSystem, LocalDirectory, Storage, StorageError, StorageErrorKind,
};

pub use error::OpenError;
pub use owner::Owner;
use owner::Tenure;
pub use rescan::{RescanError, RescanOptions, RescanReport};
pub use retention::{RemoveError, Removed, RetentionPlan};
pub(crate) use survey::KnownFile;
pub use take_up::Interrupted;

/// How a repository is opened for writing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RepositoryOptions {
    /// Who this is, for the message to a second server; this process when `None`.
    pub owner: Option<Owner>,
    /// How long from the opening on a session can be taken up that was on its way when the server
    /// before was killed. Then what there is of it is removed. Default 1 h.
    pub keep_interrupted: Duration,
    /// By how many bytes a session on its way has to come on before its note is written anew.
    /// Default 1 GiB. 0 writes it with every [`AppendSession::sync`].
    ///
    /// A note costs two more calls that wait for the disk. What was written behind it is read
    /// and checked when the session is taken up: at most so many bytes, and what was written
    /// between two calls of `sync` before and after.
    pub note_interval: u64,
    /// Whether large reads and writes go past the system's page cache
    /// ([`HostFileSystem::with_direct_io`]), in a folder of this machine. Default false.
    ///
    /// That takes a quarter less processor time (of both ends, without compression) and leaves the
    /// cache to others, such as a database beside it; but each call waits for the disk, so that a
    /// backup may take longer where the disk is slow to answer.
    pub direct_io: bool,
}

impl Default for RepositoryOptions {
    fn default() -> Self {
        Self {
            owner: None,
            keep_interrupted: Duration::from_secs(60 * 60),
            note_interval: 1 << 30,
            direct_io: false,
        }
    }
}

/// A backup repository. Cloning gives another handle to the same one.
#[derive(Clone, Debug)]
pub struct Repository {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    storage: Arc<dyn Storage>,
    id: Option<Uuid>,
    /// Held while open for writing; `None` when read-only.
    tenure: Option<Tenure>,
    catalog: Mutex<Catalog>,
    notices: Mutex<Vec<Notice>>,
    /// Sessions that are on their way.
    running: AtomicUsize,
    /// Until when sessions of the server before can be taken up.
    parked_until: UtcTime,
    /// As in [`RepositoryOptions`].
    note_interval: u64,
}

/// A job and where its files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobInfo {
    /// Its name.
    pub name: String,
    /// Its identity.
    pub id: Uuid,
    /// Its folder.
    pub folder: DiskName,
    /// The databases that it has restore points of, by name.
    pub databases: Vec<String>,
    /// How many `.VAB` files it has.
    pub files: usize,
    /// How many restore points.
    pub points: usize,
}

impl Repository {
    /// Opens a folder for writing: takes the server lock, finishes or rolls back what a crash
    /// left, and makes an empty folder a repository. The folder must be there.
    ///
    /// # Errors
    /// When the folder is missing, holds something else, is in use by another server, cannot be
    /// written, or was made by a later version.
    pub fn open(
        root: impl AsRef<Path>,
        options: RepositoryOptions,
        now: UtcTime,
    ) -> Result<Self, OpenError> {
        let system = HostFileSystem::new(root.as_ref()).with_direct_io(options.direct_io);
        Self::open_on(
            Arc::new(LocalDirectory::over(Arc::new(system))),
            options,
            now,
        )
    }

    /// [`Repository::open`] on any storage.
    ///
    /// # Errors
    /// As [`Repository::open`].
    pub fn open_on(
        storage: Arc<dyn Storage>,
        options: RepositoryOptions,
        now: UtcTime,
    ) -> Result<Self, OpenError> {
        let owner = options.owner.unwrap_or_else(|| Owner::this_process(now));
        let (id, tenure) = open::for_writing(&*storage, owner, now)?;
        let kept = i64::try_from(options.keep_interrupted.as_micros()).unwrap_or(i64::MAX);
        let until = UtcTime::from_micros(now.as_micros().saturating_add(kept));
        Self::with(
            storage,
            Some(id),
            Some(tenure),
            until,
            options.note_interval,
        )
    }

    /// Opens a folder for reading, at any time, also beside the server that writes it. Nothing is
    /// changed.
    ///
    /// # Errors
    /// When the folder is missing, cannot be read, or was made by a later version.
    pub fn open_read_only(root: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_read_only_on(Arc::new(LocalDirectory::new(root)))
    }

    /// [`Repository::open_read_only`] on any storage.
    ///
    /// # Errors
    /// As [`Repository::open_read_only`].
    pub fn open_read_only_on(storage: Arc<dyn Storage>) -> Result<Self, OpenError> {
        let id = open::for_reading(&*storage)?;
        Self::with(storage, id, None, UtcTime::from_micros(0), 0)
    }

    fn with(
        storage: Arc<dyn Storage>,
        id: Option<Uuid>,
        tenure: Option<Tenure>,
        parked_until: UtcTime,
        note_interval: u64,
    ) -> Result<Self, OpenError> {
        let mode = if tenure.is_some() {
            Mode::Recover
        } else {
            Mode::Read
        };
        let mut notices = Vec::new();
        let catalog = Catalog::load(&*storage, mode, &mut notices)?;
        for notice in &notices {
            tracing::warn!("{notice}");
        }
        Ok(Self {
            inner: Arc::new(Inner {
                storage,
                id,
                tenure,
                catalog: Mutex::new(catalog),
                notices: Mutex::new(notices),
                running: AtomicUsize::new(0),
                parked_until,
                note_interval,
            }),
        })
    }

    /// Which repository this is; `None` for a folder that lost its marker, opened for reading.
    pub fn id(&self) -> Option<Uuid> {
        self.inner.id
    }

    /// Where it is, for messages.
    pub fn location(&self) -> String {
        self.inner.storage.location()
    }

    /// Whether it was opened for reading.
    pub fn is_read_only(&self) -> bool {
        self.inner.tenure.is_none()
    }

    /// What was found and done when it was opened, and what could not be written since.
    pub fn notices(&self) -> Vec<Notice> {
        self.inner
            .notices
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Renews the lease by which other machines that share the disk know that this server is
    /// there: to be called every 20 seconds or so while the disk may be shared. It ends after a
    /// minute. Who was taken over in spite of it commits nothing more.
    ///
    /// It is also where interrupted sessions are given up whose time has passed.
    ///
    /// # Errors
    /// When it was taken over, or the disk fails.
    pub fn renew_lease(&self, now: UtcTime) -> Result<(), StorageError> {
        let storage = &*self.inner.storage;
        match &self.inner.tenure {
            Some(tenure) => tenure
                .check(storage)
                .and_then(|()| tenure.renew(storage, now))
                .and_then(|()| self.inner.give_up_late(now)),
            None => Ok(()),
        }
    }

    /// Free bytes, where that is known.
    ///
    /// # Errors
    /// When the disk cannot be asked.
    pub fn free_bytes(&self) -> Result<Option<u64>, StorageError> {
        self.inner.storage.free_bytes()
    }

    /// Begins a session: chooses the file, or begins a new one.
    ///
    /// Sessions of different databases, and of one database, run at once: each has a file to
    /// itself while it runs.
    ///
    /// # Errors
    /// When the repository is read-only, the request has a name or number that cannot be, or the
    /// disk fails.
    pub fn begin(&self, request: SessionRequest) -> Result<AppendSession, BeginError> {
        begin::begin(&self.inner, request, None)
    }

    /// Begins a session of encrypted blocks.
    ///
    /// `keys` are the bytes of the key slots (`KeyArea` of the format, 64 KiB) for the case that
    /// a new file is begun. When the session is appended to a file, that file's own slots count:
    /// ask [`AppendSession::key_area`] which they are before the first block is sealed. The
    /// repository never sees a key.
    ///
    /// # Errors
    /// As [`Repository::begin`], and when the slots are not well formed.
    pub fn begin_encrypted(
        &self,
        request: SessionRequest,
        keys: &[u8],
    ) -> Result<AppendSession, BeginError> {
        begin::begin(&self.inner, request, Some(keys))
    }

    /// The jobs, by folder.
    pub fn jobs(&self) -> Vec<JobInfo> {
        let catalog = self.inner.catalog();
        let folders = catalog
            .folders
            .iter()
            .filter(|(_, folder)| !folder.files.is_empty());
        folders
            .map(|(name, folder)| {
                let sessions = || {
                    folder
                        .files
                        .values()
                        .flat_map(|file| &file.metadata.sessions)
                };
                let mut databases: Vec<_> = sessions()
                    .map(|session| session.record.database.clone())
                    .collect();
                databases.sort();
                databases.dedup();
                JobInfo {
                    name: folder.job.clone(),
                    id: folder.job_id,
                    folder: name.clone(),
                    databases,
                    files: folder.files.len(),
                    points: sessions().count(),
                }
            })
            .collect()
    }

    /// The restore points of a job and database, or of all, in the order of their commits.
    pub fn points(&self, job: Option<&str>, database: Option<&str>) -> Vec<StoredPoint> {
        let catalog = self.inner.catalog();
        let mut points: Vec<_> = catalog
            .sessions()
            .filter(|(_, _, record)| job.is_none_or(|job| record.job == job))
            .filter(|(_, _, record)| database.is_none_or(|name| record.database == name))
            .map(|(file, _, record)| StoredPoint::new(record, &file.path))
            .collect();
        points.sort_by_key(|point| point.committed);
        points
    }

    /// A restore point; `None` when there is none with that identity.
    pub fn point(&self, id: PointId) -> Option<StoredPoint> {
        let catalog = self.inner.catalog();
        let (file, _, record) = catalog.session(id.0)?;
        Some(StoredPoint::new(record, &file.path))
    }

    /// Opens a restore point for reading.
    ///
    /// # Errors
    /// When there is none with that identity, the disk fails, or its commit record is damaged.
    pub fn reader(&self, id: PointId) -> Result<SessionReader, ReadError> {
        let no_such = || ReadError::NoSuchPoint { point: id };
        let (point, header, position) = {
            let catalog = self.inner.catalog();
            let (file, ordinal, record) = catalog.session(id.0).ok_or_else(no_such)?;
            let position = file.metadata.commit_position(ordinal).ok_or_else(no_such)?;
            (
                StoredPoint::new(record, &file.path),
                file.metadata.header.clone(),
                position,
            )
        };
        let file = self.inner.storage.open(&point.file, Access::Read)?;
        let vab = VabFile { file, header };
        let found = vab.commit_at(position)?;
        if found.commit.session.id != id.0 {
            return Err(ReadError::AnotherSession {
                file: point.file,
                offset: position.offset,
                expected: id.0,
                found: found.commit.session.id,
            });
        }
        Ok(SessionReader::new(vab, found, point))
    }

    /// Reads again what is there, for a repository that is open for reading beside a server. One
    /// that is open for writing always knows.
    ///
    /// # Errors
    /// When the disk fails; what was known before stays.
    pub fn refresh(&self) -> Result<(), StorageError> {
        if self.is_read_only() {
            let mut notices = Vec::new();
            let catalog = Catalog::load(&*self.inner.storage, Mode::Read, &mut notices)?;
            *self.inner.catalog() = catalog;
            *self
                .inner
                .notices
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = notices;
        }
        Ok(())
    }
}

impl Inner {
    fn catalog(&self) -> MutexGuard<'_, Catalog> {
        self.catalog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn notice(&self, notice: Notice) {
        tracing::warn!("{notice}");
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        // A disk that fails for days must not fill the memory.
        if notices.len() < 10_000 {
            notices.push(notice);
        }
    }
}

/// Whether a file or folder was simply not there.
fn is_missing(error: &StorageError) -> bool {
    error.kind == StorageErrorKind::Missing
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(tenure) = &self.tenure {
            tenure.release(&*self.storage);
        }
    }
}
