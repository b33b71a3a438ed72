//! What a session does to the repository when it ends.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use vab_format::vab::End;
use vab_format::vasm::{StoredSession, Vasm};

use super::Inner;
use super::layout::{FILE_METADATA, NOTE};
use crate::catalog::{Notice, StoredFile, Trust, write_file_metadata, write_job_metadata};
use crate::point::StoredPoint;
use crate::session::{Note, Place, Placement, Target};
use crate::storage::{StorageError, StoragePath};

impl Place for Inner {
    fn check_owner(&self) -> Result<(), StorageError> {
        match &self.tenure {
            Some(tenure) => tenure.check(&*self.storage),
            None => Ok(()),
        }
    }

    fn keep(&self, target: &Target, note: &Note) -> Result<(), StorageError> {
        let path = target.placement.file().sibling(NOTE);
        self.storage.replace(&path, &note.encode())
    }

    fn note_interval(&self) -> u64 {
        self.note_interval
    }

    fn publish(&self, placement: &Placement) -> Result<(), StorageError> {
        match placement {
            Placement::New { file, .. } => self.storage.publish(file),
            Placement::Append { .. } => Ok(()),
        }
    }

    fn committed(
        &self,
        target: &Target,
        session: StoredSession,
        end: End,
        noted: bool,
    ) -> StoredPoint {
        let path = target.placement.file();
        let point = StoredPoint::new(&session.record, path);
        {
            let mut catalog = self.catalog();
            let folder = path.folder().and_then(|name| catalog.folders.get_mut(name));
            if let Some(folder) = folder {
                let file = folder
                    .files
                    .entry(path.file().clone())
                    .or_insert_with(|| StoredFile {
                        path: path.clone(),
                        metadata: Vasm::of_new(target.header.clone()),
                        trust: Trust::Sound(Box::new(end.clone())),
                        writing: true,
                        failed: false,
                        late: false,
                    });
                file.metadata.sessions.push(session);
                file.trust = Trust::Sound(Box::new(end));
            }
        }
        self.write_metadata(path);
        // Before the file is free: the next session has a note of its own.
        self.forget(path, noted);
        self.release(path);
        self.running.fetch_sub(1, Ordering::SeqCst);
        point
    }

    fn given_up(&self, target: &Target, failure: Option<&str>, noted: bool) {
        self.abandon(target, failure, noted);
        self.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Inner {
    /// Removes what there is of a session. After a `failure` of the disk its file is not trusted.
    pub(super) fn abandon(&self, target: &Target, failure: Option<&str>, noted: bool) {
        let path = target.placement.file();
        self.forget(path, noted);
        match &target.placement {
            Placement::New { file, .. } => {
                if let Err(error) = self.storage.discard(file) {
                    let reason = error.to_string();
                    self.notice(Notice::NotCleaned {
                        file: file.clone(),
                        reason,
                    });
                }
            }
            Placement::Append { .. } => {
                let cut = if let Some(cause) = failure {
                    // Never written again: not even to cut it.
                    Err(cause.to_owned())
                } else {
                    let length = target.end.committed_length;
                    target
                        .file
                        .truncate(length)
                        .map_err(|error| error.to_string())
                };
                if let Err(reason) = cut {
                    if let Some(file) = self.catalog().file_mut(path) {
                        file.trust = Trust::ReadOnly(reason.clone());
                        file.failed = true;
                    }
                    self.notice(Notice::Damaged {
                        file: path.clone(),
                        reason,
                    });
                }
                self.release(path);
            }
        }
    }

    fn release(&self, path: &StoragePath) {
        if let Some(file) = self.catalog().file_mut(path) {
            file.writing = false;
        }
    }

    /// Removes the note of a session that has ended. One that stays is removed at the next start.
    fn forget(&self, path: &StoragePath, noted: bool) {
        if !noted {
            return;
        }
        let file = path.sibling(NOTE);
        if let Err(error) = self.storage.remove(&file) {
            let reason = error.to_string();
            self.notice(Notice::NotCleaned { file, reason });
        }
    }

    /// Replaces the metadata of a file and of its job. A failure loses nothing: both can be made
    /// again from the data, which is durable.
    pub(super) fn write_metadata(&self, path: &StoragePath) {
        let turn = {
            let catalog = self.catalog();
            let folder = path.folder().and_then(|name| catalog.folders.get(name));
            folder.map(|folder| std::sync::Arc::clone(&folder.metadata_turn))
        };
        let Some(turn) = turn else {
            return;
        };
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = self.catalog().file(path).cloned() else {
            return;
        };
        let written = write_file_metadata(&*self.storage, &file);
        if let Some(known) = self.catalog().file_mut(path) {
            known.late = written.is_err();
        }
        self.late(&path.sibling(FILE_METADATA), written);
        let summary = {
            let catalog = self.catalog();
            let folder = path.folder().and_then(|name| catalog.folders.get(name));
            folder.map(|folder| (folder.metadata.clone(), folder.summary()))
        };
        if let Some((path, summary)) = summary {
            self.late(&path, write_job_metadata(&*self.storage, &path, &summary));
        }
    }

    fn late(&self, path: &StoragePath, written: Result<(), StorageError>) {
        if let Err(error) = written {
            self.notice(Notice::MetadataLate {
                file: path.clone(),
                reason: error.to_string(),
            });
        }
    }
}
