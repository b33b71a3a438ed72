//! Reading the folders again, and making metadata anew.

use std::collections::HashSet;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use vab_chain::PointId;

use super::Repository;
use crate::catalog::{Catalog, Mode, Notice, Rebuild};
use crate::storage::StorageError;

/// What a rescan does beside reading what is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RescanOptions {
    /// Makes every `.VASM` anew from its `.VAB`, also one that looks sound. One that is missing,
    /// damaged or behind is made anew in any case.
    pub rebuild_file_metadata: bool,
    /// The same for every `.VACM`, from the `.VASM` files.
    pub rebuild_job_metadata: bool,
    /// Forgets data files that are not there, and removes metadata without data.
    pub forget_missing: bool,
}

/// What a rescan found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RescanReport {
    /// What was done, and what is wrong.
    pub notices: Vec<Notice>,
    /// Jobs that are there now.
    pub jobs: usize,
    /// `.VAB` files that are there now.
    pub files: usize,
    /// Restore points that are there now.
    pub points: usize,
    /// Restore points that were not known before: from a folder that was copied here, say.
    pub found: Vec<PointId>,
    /// Restore points that were known before and are not there any more.
    pub gone: Vec<PointId>,
}

/// Why a rescan was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RescanError {
    /// The repository was opened for reading.
    #[error("the repository is open read-only: a rescan needs to write")]
    ReadOnly,
    /// Backups are on their way.
    #[error("{sessions} backups are running: wait for them to end, then rescan")]
    Busy {
        /// How many.
        sessions: usize,
    },
    /// The disk did not do what was asked. What was known before stays.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Repository {
    /// Reads all folders again, takes in what was copied there, and makes metadata anew that is
    /// missing, damaged, behind, or asked for.
    ///
    /// Data is never changed, and nothing is removed but what a session that was never committed
    /// left behind, and what `options` says.
    ///
    /// # Errors
    /// When the repository is read-only, backups are running, or the disk fails.
    pub fn rescan(&self, options: RescanOptions) -> Result<RescanReport, RescanError> {
        if self.is_read_only() {
            return Err(RescanError::ReadOnly);
        }
        // No session begins while the catalog is held.
        let mut catalog = self.inner.catalog();
        let sessions = self.inner.running.load(Ordering::SeqCst);
        if sessions > 0 {
            return Err(RescanError::Busy { sessions });
        }
        let mode = Mode::Rebuild(Rebuild {
            files: options.rebuild_file_metadata,
            jobs: options.rebuild_job_metadata,
            forget: options.forget_missing,
        });
        let mut notices = Vec::new();
        let mut scanned = Catalog::load(&*self.inner.storage, mode, &mut notices)?;
        for before in catalog.files().filter(|file| file.failed) {
            if let Some(file) = scanned.file_mut(&before.path) {
                file.trust = before.trust.clone();
                file.failed = true;
            }
        }
        let (before, after) = (ids(&catalog), ids(&scanned));
        let report = RescanReport {
            jobs: scanned
                .folders
                .values()
                .filter(|folder| !folder.files.is_empty())
                .count(),
            files: scanned.files().count(),
            points: scanned.sessions().count(),
            found: sorted(&after, &before),
            gone: sorted(&before, &after),
            notices: notices.clone(),
        };
        *catalog = scanned;
        *self
            .inner
            .notices
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = notices;
        Ok(report)
    }
}

fn ids(catalog: &Catalog) -> HashSet<PointId> {
    catalog
        .sessions()
        .map(|(_, _, record)| PointId(record.id))
        .collect()
}

fn sorted(of: &HashSet<PointId>, without: &HashSet<PointId>) -> Vec<PointId> {
    let mut ids: Vec<_> = of.difference(without).copied().collect();
    ids.sort();
    ids
}
