//! What is asked of an engine, and what it answers.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use vab_chain::{BackupKind, BackupSetId, ForkId, Lsn, ServerTime};
use vab_vdi::{DeviceName, Geometry};

use crate::cancel::Cancel;
use crate::engine::DatabaseState;
use crate::placement::Placement;

/// How long an engine waits for the backup program to create the device set, unless told
/// otherwise.
const DEVICE_TIMEOUT: Duration = Duration::from_secs(30);

/// One backup of one database. Set the public fields after [`BackupRequest::new`].
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent options of one backup"
)]
#[non_exhaustive]
pub struct BackupRequest {
    /// The database's name.
    pub database: String,
    /// Full, differential or log.
    pub kind: BackupKind,
    /// Leave the base of differentials and the log chain alone. Ignored for a differential.
    pub copy_only: bool,
    /// The devices of the set, 1 to 64. The first name is the set's name.
    pub devices: Vec<DeviceName>,
    /// Sizes of the device set.
    pub geometry: Geometry,
    /// Only of a log backup: what becomes of the database afterwards.
    pub tail: Tail,
    /// Only of a log backup: the database may be damaged, and is asked for its log whatever its
    /// state (`NO_TRUNCATE`). The log is not truncated.
    pub no_truncate: bool,
    /// Verify the checksums of pages while reading them. On by default.
    pub checksum: bool,
    /// Go on when a page is damaged; the set is then marked damaged.
    pub continue_after_error: bool,
    /// How long to wait for the device set to appear.
    pub timeout: Duration,
    /// Is told how far the engine is.
    pub progress: ProgressSink,
    /// Ends the operation.
    pub cancel: Cancel,
}

impl BackupRequest {
    /// A backup to these devices, with the usual settings.
    pub fn new(database: impl Into<String>, kind: BackupKind, devices: Vec<DeviceName>) -> Self {
        Self {
            database: database.into(),
            kind,
            copy_only: false,
            devices,
            geometry: Geometry::default(),
            tail: Tail::KeepOnline,
            no_truncate: false,
            checksum: true,
            continue_after_error: false,
            timeout: DEVICE_TIMEOUT,
            progress: ProgressSink::default(),
            cancel: Cancel::new(),
        }
    }
}

/// What becomes of a database after its log was backed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tail {
    /// It stays online: an ordinary log backup.
    #[default]
    KeepOnline,
    /// It is left restoring (`WITH NORECOVERY`): the backup holds the tail of the log.
    NoRecovery,
    /// It is left readable and waits for further log (`WITH STANDBY`).
    Standby,
}

/// One step of a restore. Set the public fields after [`RestoreRequest::new`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RestoreRequest {
    /// The name to restore to.
    pub database: String,
    /// What the set is: full (`RESTORE DATABASE`), differential or log (`RESTORE LOG`).
    pub kind: BackupKind,
    /// The devices of the set, one for each stripe, 1 to 64. The first name is the set's name.
    pub devices: Vec<DeviceName>,
    /// Sizes of the device set. The block size must be that of the backup.
    pub geometry: Geometry,
    /// Where to stop. Give the same to every step of a plan.
    pub stop_at: Option<StopAt>,
    /// The state to leave the database in.
    pub recovery: Recovery,
    /// Overwrite a database of this name, whatever it is (`WITH REPLACE`).
    pub replace: bool,
    /// Where files of a full go; others go where the engine puts them.
    pub files: Vec<FileMove>,
    /// Refuse a set whose pages have no checksums (`CHECKSUM`); by default they are verified where
    /// the set has them.
    pub checksum: bool,
    /// Go on when a page in the set is damaged.
    pub continue_after_error: bool,
    /// How long to wait for the device set to appear.
    pub timeout: Duration,
    /// Is told how far the engine is.
    pub progress: ProgressSink,
    /// Ends the operation.
    pub cancel: Cancel,
}

impl RestoreRequest {
    /// A step from these devices that leaves the database restoring.
    pub fn new(database: impl Into<String>, kind: BackupKind, devices: Vec<DeviceName>) -> Self {
        Self {
            database: database.into(),
            kind,
            devices,
            geometry: Geometry::default(),
            stop_at: None,
            recovery: Recovery::NoRecovery,
            replace: false,
            files: Vec::new(),
            checksum: false,
            continue_after_error: false,
            timeout: DEVICE_TIMEOUT,
            progress: ProgressSink::default(),
            cancel: Cancel::new(),
        }
    }
}

/// Where a file of the database goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileMove {
    /// Its logical name.
    pub logical: String,
    /// Its path on the server.
    pub to: String,
}

/// A look at the files in a full. Set the public fields after [`FilesRequest::new`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FilesRequest {
    /// The name to restore to.
    pub database: String,
    /// The devices of the set, one for each stripe, 1 to 64.
    pub devices: Vec<DeviceName>,
    /// Where files go, as far as somebody has said it.
    pub placement: Placement,
    /// Ends the operation.
    pub cancel: Cancel,
}

impl FilesRequest {
    /// A look at the set in these devices.
    pub fn new(database: impl Into<String>, devices: Vec<DeviceName>) -> Self {
        Self {
            database: database.into(),
            devices,
            placement: Placement::default(),
            cancel: Cancel::new(),
        }
    }
}

/// Ends a sequence of restores.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoverRequest {
    /// The database's name.
    pub database: String,
    /// [`Recovery::Recovery`] or [`Recovery::Standby`].
    pub recovery: Recovery,
}

impl RecoverRequest {
    /// Brings the database online.
    pub fn new(database: impl Into<String>) -> Self {
        Self {
            database: database.into(),
            recovery: Recovery::Recovery,
        }
    }
}

/// The state that a restore leaves a database in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recovery {
    /// Restoring: more sets can follow.
    #[default]
    NoRecovery,
    /// Online: what was not committed is rolled back, and a new recovery fork begins.
    Recovery,
    /// Readable, and more log can follow.
    Standby,
}

/// Where to stop rolling forward.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopAt {
    /// `STOPAT`: only what was logged before this moment of the server's clock is applied.
    ///
    /// A full or differential has to finish at this moment or before. A log that holds a record
    /// of this moment or later, or was begun at this moment or later, reaches the stop; what was
    /// committed while an earlier log backup ran may be in the next one.
    Time(ServerTime),
    /// `STOPATMARK` or `STOPBEFOREMARK` with a name.
    Mark {
        /// The name of the mark.
        name: String,
        /// The first such mark at or after this moment; `None` for the first of all.
        after: Option<ServerTime>,
        /// Whether the marked transaction itself is applied.
        edge: StopEdge,
    },
    /// `STOPATMARK = 'lsn:…'` or `STOPBEFOREMARK = 'lsn:…'`.
    Lsn {
        /// The log record.
        lsn: Lsn,
        /// Whether the record itself is applied.
        edge: StopEdge,
    },
}

/// On which side of a mark to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopEdge {
    /// The marked record is applied (`STOPATMARK`).
    At,
    /// The marked record is not applied (`STOPBEFOREMARK`).
    Before,
}

/// What a restore did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restored {
    /// How the database stands now.
    pub state: DatabaseState,
    /// Whether the stop was reached. When it was not, the database stays restoring even if
    /// recovery was asked for, so that more log can follow.
    pub stop: StopOutcome,
    /// The set that was restored; `None` after a mere recovery.
    pub set: Option<BackupSetId>,
    /// The end of what is applied: the next log must cover this LSN.
    pub redo_lsn: Lsn,
    /// The recovery fork the database is on.
    pub fork: Option<ForkId>,
    /// The time of the last log record that was applied.
    pub reached: Option<ServerTime>,
}

impl Restored {
    /// What a restore step left.
    pub fn new(state: DatabaseState, stop: StopOutcome, redo_lsn: Lsn) -> Self {
        Self {
            state,
            stop,
            set: None,
            redo_lsn,
            fork: None,
            reached: None,
        }
    }
}

/// Whether rolling forward came to the stop that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopOutcome {
    /// No stop was asked for.
    NotAsked,
    /// The database is as of the stop.
    Reached,
    /// The stop is beyond the end of this set.
    Beyond,
}

/// How far an operation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes moved so far, over all devices.
    pub bytes: u64,
    /// Bytes that will be moved, as far as that can be known now.
    pub total: u64,
}

/// Somebody who wants to know how far an operation is; nobody by default.
#[derive(Clone, Default)]
pub struct ProgressSink(Option<Arc<dyn Fn(Progress) + Send + Sync>>);

impl ProgressSink {
    /// Calls `tell` now and then, from the engine's threads; it must not block.
    pub fn new(tell: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(tell)))
    }

    /// Tells how far the operation is.
    pub fn tell(&self, progress: Progress) {
        if let Some(tell) = &self.0 {
            tell(progress);
        }
    }
}

impl fmt::Debug for ProgressSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "ProgressSink(..)"
        } else {
            "ProgressSink(nobody)"
        })
    }
}
