//! What is in a repository, as its files say.

mod file;
mod folder;
mod notice;
mod parked;

use std::collections::BTreeMap;

use uuid::Uuid;
use vab_format::session::SessionRecord;

use crate::names::DiskName;
use crate::storage::{Storage, StorageError, StoragePath};

pub(crate) use file::{METADATA_LIMIT, StoredFile, Trust, write_file_metadata};
pub(crate) use folder::{Fewer, JobFolder, fewer, write_job_metadata};
pub use notice::Notice;
pub(crate) use parked::Parked;

/// Everything in a repository, by folder.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    pub(crate) folders: BTreeMap<DiskName, JobFolder>,
    /// Sessions that can be taken up, by their files.
    pub(crate) parked: BTreeMap<StoragePath, Parked>,
}

/// How a repository is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Nothing is changed.
    Read,
    /// What a crash left is finished or rolled back.
    Recover,
    /// That, and metadata is made anew whether it looks sound or not.
    Rebuild(Rebuild),
}

/// Which metadata is made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rebuild {
    /// Every `.VASM`, from its `.VAB`.
    pub(crate) files: bool,
    /// Every `.VACM`, from the `.VASM` files.
    pub(crate) jobs: bool,
    /// Files that are not there are forgotten.
    pub(crate) forget: bool,
}

impl Mode {
    pub(crate) fn rebuild(self) -> Rebuild {
        match self {
            Self::Rebuild(rebuild) => rebuild,
            _ => Rebuild {
                files: false,
                jobs: false,
                forget: false,
            },
        }
    }
}

impl Catalog {
    /// Reads all folders.
    ///
    /// # Errors
    /// When the disk fails. Damaged files are no error: they are in the notices.
    pub(crate) fn load(
        storage: &dyn Storage,
        mode: Mode,
        notices: &mut Vec<Notice>,
    ) -> Result<Self, StorageError> {
        let mut catalog = Self::default();
        for name in storage.folders()? {
            if let Some((folder, parked)) = folder::load(storage, &name, mode, notices)? {
                catalog.folders.insert(name, folder);
                catalog.parked.extend(parked);
            }
        }
        Ok(catalog)
    }

    /// The folder of a job.
    pub(crate) fn job(&self, job: &str) -> Option<&DiskName> {
        self.folders
            .iter()
            .find(|(_, folder)| folder.job == job)
            .map(|(name, _)| name)
    }

    pub(crate) fn file(&self, path: &StoragePath) -> Option<&StoredFile> {
        self.folders.get(path.folder()?)?.files.get(path.file())
    }

    pub(crate) fn file_mut(&mut self, path: &StoragePath) -> Option<&mut StoredFile> {
        self.folders
            .get_mut(path.folder()?)?
            .files
            .get_mut(path.file())
    }

    /// Every file, by folder and name.
    pub(crate) fn files(&self) -> impl Iterator<Item = &StoredFile> {
        self.folders
            .values()
            .flat_map(|folder| folder.files.values())
    }

    /// Every session with its file and its ordinal, in the order of the files.
    pub(crate) fn sessions(&self) -> impl Iterator<Item = (&StoredFile, u64, &SessionRecord)> {
        self.files().flat_map(|file| {
            let sessions = (1..).zip(&file.metadata.sessions);
            sessions.map(move |(ordinal, session)| (file, ordinal, &session.record))
        })
    }

    pub(crate) fn session(&self, id: Uuid) -> Option<(&StoredFile, u64, &SessionRecord)> {
        self.sessions().find(|(_, _, record)| record.id == id)
    }
}
