//! What the index keeps of a restore point: everything that decides, nothing that only describes.

use crate::{
    BackupKind, BackupSet, BackupSetId, DifferentialBase, ForkId, Lsn, PointId, RestorePoint,
    ServerTime, SetFlags,
};

/// The facts of one restore point that the rules look at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PointFacts {
    /// The restore point.
    pub id: PointId,
    /// The backup set in it.
    pub set: BackupSetId,
    /// Full, differential or log.
    pub kind: BackupKind,
    /// Whether it was taken beside the regular sequence.
    pub copy_only: bool,
    /// Marks on the set.
    pub flags: SetFlags,
    /// The first log record in the set.
    pub first_lsn: Lsn,
    /// The log record after the last one in the set.
    pub last_lsn: Lsn,
    /// Where redo starts.
    pub checkpoint_lsn: Lsn,
    /// Of a differential: the full it is a difference to. Without an entry of its own in the
    /// header, this holds the checkpoint LSN of the full before.
    pub base: Option<DifferentialBase>,
    /// The recovery fork of the first log record; `None` when not known.
    pub first_fork: Option<ForkId>,
    /// The recovery fork of the last log record; `None` when not known.
    pub last_fork: Option<ForkId>,
    /// Where the fork was taken, when first and last fork differ.
    pub fork_point: Option<Lsn>,
    /// When the backup started, on the server's clock.
    pub started: ServerTime,
    /// When the backup finished, on the server's clock.
    pub finished: ServerTime,
    /// Why the point cannot be read back, if it cannot.
    pub unusable: Option<Unusable>,
}

impl PointFacts {
    pub(crate) fn new(id: PointId, set: &BackupSet) -> Self {
        let base = (set.kind == BackupKind::Differential).then(|| {
            set.differential_base.unwrap_or(DifferentialBase {
                id: None,
                lsn: set.database_backup_lsn,
            })
        });
        Self {
            id,
            set: set.id,
            kind: set.kind,
            copy_only: set.copy_only,
            flags: set.flags,
            first_lsn: set.first_lsn,
            last_lsn: set.last_lsn,
            checkpoint_lsn: set.checkpoint_lsn,
            base,
            first_fork: set.first_fork.or(set.last_fork),
            last_fork: set.last_fork.or(set.first_fork),
            fork_point: set.fork_point.filter(|lsn| !lsn.is_zero()),
            started: set.started,
            finished: set.finished,
            unusable: None,
        }
    }

    /// A log backup without a record: legal, common, and never needed for a restore.
    pub fn is_empty_log(&self) -> bool {
        self.kind == BackupKind::Log && self.first_lsn >= self.last_lsn
    }

    /// Whether a restore can stop inside this log.
    pub fn can_stop_inside(&self) -> bool {
        self.kind == BackupKind::Log && !self.flags.bulk_logged
    }

    /// Whether differentials may be based on it.
    pub fn is_differential_base(&self) -> bool {
        self.kind == BackupKind::Full && !self.copy_only
    }
}

impl From<&RestorePoint> for PointFacts {
    fn from(point: &RestorePoint) -> Self {
        Self::new(point.id, &point.set)
    }
}

/// Why a restore point that is known cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Unusable {
    /// Its file is not there.
    #[error("its file is missing")]
    FileMissing,
    /// Its bytes failed a check.
    #[error("its data is damaged")]
    DataDamaged,
    /// Not all stripes are there.
    #[error("stripe {stripe} of {of} is missing")]
    StripeMissing {
        /// The first stripe that is missing, counted from 1.
        stripe: u16,
        /// How many the set has.
        of: u16,
    },
    /// The server says the database was damaged when the backup was taken.
    #[error("the database was damaged when it was taken")]
    TakenFromDamagedDatabase,
    /// Whoever restores does not want it used.
    #[error("it is to be left out")]
    LeftOut,
}
