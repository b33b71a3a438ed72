//! What a verification asks about a repository.

use vab_format::vacm::Vacm;
use vab_format::vasm::Vasm;

use super::marker::{self, Marker};
use super::{Repository, layout};
use crate::catalog::Trust;
use crate::storage::{Storage, StorageError, StoragePath};
use crate::verify::FileFinding;

/// A data file as it is known.
pub(crate) struct KnownFile {
    pub(crate) path: StoragePath,
    pub(crate) metadata: Vasm,
    /// Why it is not appended to any more.
    pub(crate) distrust: Option<String>,
}

impl Repository {
    pub(crate) fn storage(&self) -> &dyn Storage {
        &*self.inner.storage
    }

    pub(crate) fn known_files(&self) -> Vec<KnownFile> {
        let catalog = self.inner.catalog();
        let files = catalog.files().map(|file| KnownFile {
            path: file.path.clone(),
            metadata: file.metadata.clone(),
            distrust: match &file.trust {
                Trust::Sound(_) => None,
                Trust::ReadOnly(reason) => Some(reason.clone()),
            },
        });
        files.collect()
    }

    /// Data files that are not there, and how many restore points were in them.
    pub(crate) fn missing_files(&self) -> Vec<(StoragePath, u64)> {
        let catalog = self.inner.catalog();
        let folders = catalog.folders.values();
        let missing = folders.flat_map(|folder| {
            let metadata = folder.missing.iter().map(|(name, vasm)| {
                (
                    folder.metadata.beside(name.clone()),
                    vasm.sessions.len() as u64,
                )
            });
            let lost = folder.lost.iter().filter_map(|file| {
                let name = crate::names::DiskName::from_disk(&file.name)?;
                if folder.unreadable.contains_key(&name) {
                    return None;
                }
                Some((folder.metadata.beside(name), file.sessions))
            });
            metadata.chain(lost)
        });
        missing.collect()
    }

    /// Data files of which nothing can be used.
    pub(crate) fn unreadable_files(&self) -> Vec<(StoragePath, String)> {
        let catalog = self.inner.catalog();
        let folders = catalog.folders.values();
        let unreadable = folders.flat_map(|folder| {
            let files = folder.unreadable.iter();
            files.map(|(name, reason)| (folder.metadata.beside(name.clone()), reason.clone()))
        });
        unreadable.collect()
    }

    /// What the metadata of each job has to say.
    pub(crate) fn job_metadata(&self) -> Vec<(StoragePath, Vacm)> {
        let catalog = self.inner.catalog();
        let folders = catalog.folders.values().filter(|folder| !folder.is_empty());
        folders
            .map(|folder| (folder.metadata.clone(), folder.summary()))
            .collect()
    }

    /// What is wrong with the marker.
    pub(crate) fn check_marker(&self) -> Result<Option<(StoragePath, FileFinding)>, StorageError> {
        let path = layout::marker();
        let found = self.inner.storage.read(&path, marker::LIMIT)?;
        let finding = match found.map(|bytes| Marker::from_bytes(&bytes)) {
            Some(Ok(_)) => return Ok(None),
            Some(Err(_)) => FileFinding::Metadata {
                reason: "the marker of the repository is damaged".to_owned(),
            },
            None => FileFinding::Missing { points: 0 },
        };
        Ok(Some((path, finding)))
    }
}
