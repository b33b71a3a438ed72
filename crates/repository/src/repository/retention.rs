//! Removing whole files: what a policy lets go, or what an administrator names.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use vab_chain::{Catalog as Databases, PointId, Retention, RetentionPolicy, Stored, UtcTime};

use super::layout::FILE_METADATA;
use super::{Inner, Repository, is_missing};
use crate::catalog::{Catalog, JobFolder, StoredFile, write_job_metadata};
use crate::point::StoredPoint;
use crate::storage::{Access, StorageError, StoragePath};

/// What a retention policy means for a job, before anything is removed.
#[derive(Clone, Debug)]
pub struct RetentionPlan {
    /// For each database, which chains and files stay or go, and why.
    pub databases: Vec<Retention<StoragePath>>,
    /// The files that go: nothing in them has to stay for any database.
    pub remove: Vec<StoragePath>,
}

/// What was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Removed {
    /// The `.VAB` files.
    pub files: Vec<StoragePath>,
    /// The restore points that were in them.
    pub points: Vec<PointId>,
    /// Bytes of the files.
    pub bytes: u64,
}

/// Why files were not removed. What was removed before is in `removed`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoveError {
    /// The repository was opened for reading.
    #[error("the repository is open read-only: only the server that has it open can remove files")]
    ReadOnly,
    /// There is no such file.
    #[error("there is no file `{file}` in this repository")]
    NoSuchFile {
        /// The file.
        file: StoragePath,
    },
    /// A session is being written to the file.
    #[error("a backup is being written to `{file}`: wait for it to end")]
    Busy {
        /// The file.
        file: StoragePath,
    },
    /// The disk did not do what was asked. Files that are still there stay listed.
    #[error("{} of the files were removed, then: {source}", removed.files.len())]
    Storage {
        /// What was removed before.
        removed: Removed,
        /// What failed.
        source: StorageError,
    },
}

impl Repository {
    /// What `policy` means for a job at `now`, on the repository's clock; nothing is removed.
    ///
    /// `held` says which restore points somebody wants kept. A file with a restore point whose
    /// facts are not known stays: it may be one that others need.
    pub fn retention(
        &self,
        job: &str,
        policy: &RetentionPolicy,
        now: UtcTime,
        held: impl Fn(PointId) -> bool,
    ) -> RetentionPlan {
        plan(&self.inner.catalog(), job, policy, now, &held)
    }

    /// Removes the files that `policy` lets go.
    ///
    /// Only whole inactive chains go, and only files that hold nothing that must stay. Files that
    /// a session is being written to are left for the next time.
    ///
    /// # Errors
    /// When the repository is read-only or the disk fails.
    pub fn expire(
        &self,
        job: &str,
        policy: &RetentionPolicy,
        now: UtcTime,
        held: impl Fn(PointId) -> bool,
    ) -> Result<Removed, RemoveError> {
        self.remove(|catalog| {
            let plan = plan(catalog, job, policy, now, &held);
            let free = |path: &StoragePath| catalog.file(path).is_some_and(|file| !file.writing);
            Ok(plan.remove.into_iter().filter(free).collect())
        })
    }

    /// Removes files with every restore point in them, whatever depends on them.
    ///
    /// # Errors
    /// When the repository is read-only, a file is not there or is being written, or the disk
    /// fails. Nothing is removed in the first three cases.
    pub fn remove_files(&self, files: &[StoragePath]) -> Result<Removed, RemoveError> {
        self.remove(|catalog| {
            for file in files {
                match catalog.file(file) {
                    None => return Err(RemoveError::NoSuchFile { file: file.clone() }),
                    Some(known) if known.writing => {
                        return Err(RemoveError::Busy { file: file.clone() });
                    }
                    Some(_) => {}
                }
            }
            Ok(files.to_vec())
        })
    }

    fn remove(
        &self,
        choose: impl FnOnce(&Catalog) -> Result<Vec<StoragePath>, RemoveError>,
    ) -> Result<Removed, RemoveError> {
        if self.is_read_only() {
            return Err(RemoveError::ReadOnly);
        }
        // Taken out of the catalog, so that no session is appended to them and none is listed.
        let mut files = {
            let mut catalog = self.inner.catalog();
            let chosen = choose(&catalog)?;
            chosen
                .iter()
                .filter_map(|path| take_out(&mut catalog, path))
                .collect::<Vec<_>>()
        };
        // The newest first: what is left after a crash never lacks what it depends on.
        files.sort_by_key(|file| file.metadata.header.created);
        let mut removed = Removed::default();
        let result = self.inner.remove_in_order(&mut files, &mut removed);
        let mut catalog = self.inner.catalog();
        for mut file in files {
            // Its metadata may be gone already.
            file.late = true;
            if let Some(folder) = file
                .path
                .folder()
                .and_then(|name| catalog.folders.get_mut(name))
            {
                folder.files.insert(file.path.file().clone(), file);
            }
        }
        result.map_err(|source| RemoveError::Storage {
            removed: removed.clone(),
            source,
        })?;
        Ok(removed)
    }
}

impl Inner {
    /// Removes files from the end of the list; those that are left were not removed.
    fn remove_in_order(
        &self,
        files: &mut Vec<StoredFile>,
        removed: &mut Removed,
    ) -> Result<(), StorageError> {
        let folders: BTreeSet<_> = files
            .iter()
            .filter_map(|file| file.path.folder().cloned())
            .collect();
        for name in folders {
            let Some((turn, path)) = self
                .catalog()
                .folders
                .get(&name)
                .map(|folder| (Arc::clone(&folder.metadata_turn), folder.metadata.clone()))
            else {
                continue;
            };
            let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
            let summary = self.catalog().folders.get(&name).map(JobFolder::summary);
            if let Some(summary) = summary {
                write_job_metadata(&*self.storage, &path, &summary)?;
            }
        }
        while let Some(file) = files.last() {
            // Without its metadata a file is found again by its data, so the data goes last.
            self.storage.remove(&file.path.sibling(FILE_METADATA))?;
            if let Err(error) = self.storage.remove(&file.path) {
                // Gone, and only in doubt whether it stays gone after a crash: not to be listed.
                if self
                    .storage
                    .open(&file.path, Access::Read)
                    .is_err_and(|e| is_missing(&e))
                {
                    files.pop();
                }
                return Err(error);
            }
            removed.bytes += file.metadata.committed_length();
            removed.files.push(file.path.clone());
            let sessions = file.metadata.sessions.iter();
            removed
                .points
                .extend(sessions.map(|session| PointId(session.record.id)));
            files.pop();
        }
        Ok(())
    }
}

fn take_out(catalog: &mut Catalog, path: &StoragePath) -> Option<StoredFile> {
    catalog
        .folders
        .get_mut(path.folder()?)?
        .files
        .remove(path.file())
}

fn plan(
    catalog: &Catalog,
    job: &str,
    policy: &RetentionPolicy,
    now: UtcTime,
    held: &dyn Fn(PointId) -> bool,
) -> RetentionPlan {
    let sessions = catalog
        .sessions()
        .filter(|(_, _, record)| record.job == job);
    let points: Vec<_> = sessions
        .map(|(file, _, record)| StoredPoint::new(record, &file.path))
        .collect();
    let known = points.iter().filter_map(StoredPoint::restore_point);
    let databases: Vec<_> = Databases::new(known)
        .chains()
        .iter()
        .map(|chain| {
            let of_chain = points
                .iter()
                .filter(|point| chain.point(point.id).is_some());
            let stored: Vec<_> = of_chain
                .map(|point| Stored {
                    point: point.id,
                    file: point.file.clone(),
                    committed: point.committed,
                    held: held(point.id),
                })
                .collect();
            chain.retention(&stored, policy, now)
        })
        .collect();
    let mut remove: BTreeSet<_> = databases
        .iter()
        .flat_map(Retention::deletable)
        .cloned()
        .collect();
    let stays = databases
        .iter()
        .flat_map(|fates| &fates.files)
        .filter(|fate| !fate.delete);
    for fate in stays {
        remove.remove(&fate.file);
    }
    for (file, _, record) in catalog.sessions() {
        // Of another job, or with facts that are not known.
        if record.job != job || !record.facts_known() {
            remove.remove(&file.path);
        }
    }
    RetentionPlan {
        databases,
        remove: remove.into_iter().collect(),
    }
}
