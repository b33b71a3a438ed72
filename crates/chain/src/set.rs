//! What the engine says about one backup.

use std::fmt;

use crate::{BackupSetId, DatabaseId, FamilyId, ForkId, Lsn, ServerTime};

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum BackupKind {
    /// The whole database, and the log needed to make it consistent.
    Full,
    /// The extents that changed since the last full that is not copy-only.
    #[cfg_attr(feature = "serde", serde(rename = "diff"))]
    Differential,
    /// The log since the previous log backup.
    Log,
}

impl fmt::Display for BackupKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Full => "full",
            Self::Differential => "diff",
            Self::Log => "log",
        })
    }
}

/// The full that a differential is a difference to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DifferentialBase {
    /// `differential_base_guid`: the backup set of the base. `None` only where a header export
    /// lacks it; then [`DifferentialBase::lsn`] has to do.
    pub id: Option<BackupSetId>,
    /// `differential_base_lsn`: the checkpoint LSN of the base.
    pub lsn: Lsn,
}

/// Marks that SQL Server puts on a backup set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent flags of one header field"
)]
#[non_exhaustive]
pub struct SetFlags {
    /// The first log backup after the database was created or left SIMPLE.
    pub begins_log_chain: bool,
    /// Holds bulk-logged changes: a restore cannot stop inside this log.
    pub bulk_logged: bool,
    /// A tail-log backup that left the database restoring.
    pub tail: bool,
    /// The database was damaged when the backup was made.
    pub damaged: bool,
    /// The metadata of the database was damaged when the backup was made.
    pub incomplete_metadata: bool,
    /// Pages carried checksums that were checked.
    pub checksums: bool,
}

/// A backup set: the facts the engine recorded about one backup.
///
/// Rules: `backupset` in `msdb` and `RESTORE HEADERONLY` have the same columns.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct BackupSet {
    /// `backup_set_uuid`.
    pub id: BackupSetId,
    /// `database_name`.
    pub database: String,
    /// `server_name`; empty when not known.
    pub server: String,
    /// Full, differential or log.
    pub kind: BackupKind,
    /// A copy-only full is no base for differentials; a copy-only log does not truncate.
    pub copy_only: bool,
    /// The first log record in the set.
    pub first_lsn: Lsn,
    /// The log record after the last one in the set (an exclusive end).
    pub last_lsn: Lsn,
    /// Where redo starts.
    pub checkpoint_lsn: Lsn,
    /// The checkpoint LSN of the full before; [`Lsn::ZERO`] when there was none.
    pub database_backup_lsn: Lsn,
    /// Only of a differential.
    pub differential_base: Option<DifferentialBase>,
    /// The recovery fork that the first log record is on; `None` when not known.
    pub first_fork: Option<ForkId>,
    /// The recovery fork that the last log record is on; `None` when not known.
    pub last_fork: Option<ForkId>,
    /// Where the fork was taken, when first and last fork differ.
    pub fork_point: Option<Lsn>,
    /// `database_guid`.
    pub database_id: Option<DatabaseId>,
    /// `family_guid`.
    pub family_id: Option<FamilyId>,
    /// Marks on the set.
    pub flags: SetFlags,
    /// When the backup started, on the server's clock.
    pub started: ServerTime,
    /// When the backup finished, on the server's clock.
    pub finished: ServerTime,
    /// Offset of the server's clock from UTC in minutes; `None` when not known.
    pub utc_offset: Option<i16>,
    /// In how many stripes the set was written, 1 to 64.
    pub stripes: u16,
    /// Only of a log: the marked transactions in it, where they are known.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Vec::is_empty")
    )]
    pub marks: Vec<Mark>,
}

/// A marked transaction (`BEGIN TRANSACTION … WITH MARK`), as `msdb.dbo.logmarkhistory` has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Mark {
    /// `mark_name`.
    pub name: String,
    /// The log record of the mark.
    pub lsn: Lsn,
    /// When the mark was set, on the server's clock.
    pub time: ServerTime,
}

impl BackupSet {
    /// A set of `kind` with the given identity, database, LSN range and times; everything else
    /// empty, unknown or off, one stripe.
    pub fn new(
        id: BackupSetId,
        database: impl Into<String>,
        kind: BackupKind,
        lsns: std::ops::Range<Lsn>,
        started: ServerTime,
        finished: ServerTime,
    ) -> Self {
        Self {
            id,
            database: database.into(),
            server: String::new(),
            kind,
            copy_only: false,
            first_lsn: lsns.start,
            last_lsn: lsns.end,
            checkpoint_lsn: lsns.start,
            database_backup_lsn: Lsn::ZERO,
            differential_base: None,
            first_fork: None,
            last_fork: None,
            fork_point: None,
            database_id: None,
            family_id: None,
            flags: SetFlags::default(),
            started,
            finished,
            utc_offset: None,
            stripes: 1,
            marks: Vec::new(),
        }
    }
}
