//! The refusals of a database server, with the numbers SQL Server gives them.

use vab_chain::{BackupKind, BackupSetId, ForkId, Lsn, ServerTime};

use crate::engine::{DatabaseState, RecoveryModel};

/// Why a server refuses. [`Refusal::number`] is SQL Server's message number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// 911: there is no such database.
    #[error("there is no database `{database}`")]
    NoSuchDatabase {
        /// The name.
        database: String,
    },
    /// 1801: there is such a database already.
    #[error("there is a database `{database}` already; choose another name or drop it first")]
    Exists {
        /// The name.
        database: String,
    },
    /// 927 and others: the database is not online.
    #[error("database `{database}` is {state}; finish its restore first")]
    NotOnline {
        /// The name.
        database: String,
        /// How it stands.
        state: DatabaseState,
    },
    /// 3101: the database is in use.
    #[error("database `{database}` is in use: {transactions} transactions are open; end them")]
    InUse {
        /// The name.
        database: String,
        /// Open transactions.
        transactions: usize,
    },
    /// 3023: another backup or a change of the database runs.
    #[error("another backup or restore of `{database}` is running; wait for it to end")]
    Busy {
        /// The name.
        database: String,
    },
    /// 3035: a differential has no base.
    #[error("`{database}` has no current full backup to base a differential on; take a full one")]
    NoDifferentialBase {
        /// The name.
        database: String,
    },
    /// 4208: no log backups under the simple model.
    #[error("`{database}` has the {model} recovery model: its log cannot be backed up")]
    LogBackupInSimple {
        /// The name.
        database: String,
        /// Its model.
        model: RecoveryModel,
    },
    /// 4214: no current backup.
    #[error(
        "the log of `{database}` cannot be backed up: no current database backup starts its log chain; take a full or differential backup"
    )]
    NoCurrentBackup {
        /// The name.
        database: String,
    },
    /// 3043 or 824: a damaged page.
    #[error(
        "page {page} of `{database}` is damaged; restore the database, or back it up past the error"
    )]
    DamagedPage {
        /// The name.
        database: String,
        /// The page's number.
        page: u32,
    },
    /// 3117: no restore is under way.
    #[error(
        "`{database}` is {state}: differentials and logs can only follow a restore with NORECOVERY or STANDBY"
    )]
    NotRestoring {
        /// The name.
        database: String,
        /// How it stands.
        state: DatabaseState,
    },
    /// 3118: only a full backup can create a database.
    #[error("there is no database `{database}`: restore its full backup with NORECOVERY first")]
    NothingToApplyTo {
        /// The name.
        database: String,
    },
    /// 3136: a differential on another base or state.
    #[error(
        "differential {set} cannot be applied to `{database}`: it needs full {needed:?} as base, restored last and with no log after it; that is {found:?}"
    )]
    WrongBase {
        /// The name.
        database: String,
        /// The differential.
        set: BackupSetId,
        /// The base it needs.
        needed: Option<BackupSetId>,
        /// The base that was restored; `None` when there is none that could be one.
        found: Option<BackupSetId>,
    },
    /// 3154: the name belongs to another database.
    #[error(
        "`{database}` is another database than the one in the backup; restore with REPLACE or under another name"
    )]
    OtherDatabase {
        /// The name.
        database: String,
    },
    /// 3159: the tail of the log would be lost.
    #[error(
        "the tail of the log of `{database}` is not backed up; back it up with NORECOVERY first, or restore with REPLACE or a stop"
    )]
    TailNotBackedUp {
        /// The name.
        database: String,
    },
    /// 4305: a gap before this log.
    #[error(
        "log {set} begins at {first}, too late for `{database}`, which is at {redo}; restore an earlier log that includes {redo} first"
    )]
    LogGap {
        /// The name.
        database: String,
        /// The log backup.
        set: BackupSetId,
        /// Where it begins.
        first: Lsn,
        /// Where the database is.
        redo: Lsn,
    },
    /// 4326: this log holds nothing new.
    #[error(
        "log {set} ends at {last}, too early for `{database}`, which is at {redo}; restore a later log that includes {redo}"
    )]
    LogTooEarly {
        /// The name.
        database: String,
        /// The log backup.
        set: BackupSetId,
        /// Where it ends.
        last: Lsn,
        /// Where the database is.
        redo: Lsn,
    },
    /// 4330: another branch of recovery.
    #[error(
        "set {set} is on recovery fork {expected:?} at {redo}, `{database}` is on {found}; choose a backup of the same recovery path"
    )]
    OtherFork {
        /// The name.
        database: String,
        /// The backup set.
        set: BackupSetId,
        /// Where the database is.
        redo: Lsn,
        /// The fork of the set at that LSN.
        expected: Option<ForkId>,
        /// The fork of the database.
        found: ForkId,
    },
    /// 4335: the database is already past the stop.
    #[error(
        "`{database}` is already rolled forward to {reached}, past the stop; start again with an earlier full backup"
    )]
    AlreadyPast {
        /// The name.
        database: String,
        /// The time it is at.
        reached: ServerTime,
    },
    /// 4338: the set ends after the stop.
    #[error("backup {set} ends at {finished} ({last}), after the stop; choose an earlier one")]
    StopTooEarly {
        /// The backup set.
        set: BackupSetId,
        /// When it finished.
        finished: ServerTime,
        /// Where it ends.
        last: Lsn,
    },
    /// 4341: no stop inside bulk-logged changes.
    #[error("log {set} holds bulk-logged changes: it can only be restored to its end")]
    StopInBulkLogged {
        /// The log backup.
        set: BackupSetId,
    },
    /// 4333: the database cannot be recovered yet.
    #[error(
        "`{database}` cannot be recovered: it is at {redo} and is consistent only from {needed} on; restore the log up to there"
    )]
    NotConsistent {
        /// The name.
        database: String,
        /// Where it is.
        redo: Lsn,
        /// Where it becomes consistent.
        needed: Lsn,
    },
    /// 3013: an earlier step ended in the middle.
    #[error(
        "the restore of set {set} to `{database}` ended in the middle; restore that set again, or begin with the full backup"
    )]
    Interrupted {
        /// The name.
        database: String,
        /// The set.
        set: BackupSetId,
    },
    /// 3115 and others: the set is of another kind than was said.
    #[error("the devices hold a {found} backup, not a {expected} backup")]
    OtherKind {
        /// What was said.
        expected: BackupKind,
        /// What it is.
        found: BackupKind,
    },
    /// 3132, 3178 and others: the stripes do not make one whole set.
    #[error(
        "the set has {expected} stripes and {found} were given; every stripe is needed, each once"
    )]
    Stripes {
        /// Stripes of the set.
        expected: usize,
        /// Stripes that were given.
        found: usize,
    },
    /// 3167 or 3033: not possible with this set or model.
    #[error("{what}")]
    NotAllowed {
        /// What is not allowed, and why.
        what: &'static str,
        /// SQL Server's number.
        number: u32,
    },
    /// 3234: a backup has no such file.
    #[error("the backup has no file with the logical name `{file}`; it has {there}")]
    NoSuchFile {
        /// The logical name.
        file: String,
        /// Those that it has.
        there: String,
    },
    /// A refusal of a real server, in its own words.
    #[error("{message} (message {number})")]
    Server {
        /// The number.
        number: u32,
        /// The server's text.
        message: String,
    },
}

impl Refusal {
    /// SQL Server's message number.
    pub fn number(&self) -> u32 {
        match self {
            Self::NoSuchDatabase { .. } => 911,
            Self::Exists { .. } => 1801,
            Self::NotOnline { .. } => 927,
            Self::InUse { .. } => 3101,
            Self::Busy { .. } => 3023,
            Self::NoDifferentialBase { .. } => 3035,
            Self::LogBackupInSimple { .. } => 4208,
            Self::NoCurrentBackup { .. } => 4214,
            Self::DamagedPage { .. } => 824,
            Self::NotRestoring { .. } => 3117,
            Self::NothingToApplyTo { .. } => 3118,
            Self::WrongBase { .. } => 3136,
            Self::OtherDatabase { .. } => 3154,
            Self::TailNotBackedUp { .. } => 3159,
            Self::LogGap { .. } => 4305,
            Self::LogTooEarly { .. } => 4326,
            Self::OtherFork { .. } => 4330,
            Self::AlreadyPast { .. } => 4335,
            Self::StopTooEarly { .. } => 4338,
            Self::StopInBulkLogged { .. } => 4341,
            Self::NotConsistent { .. } => 4333,
            Self::Interrupted { .. } => 3013,
            Self::OtherKind { .. } => 3115,
            Self::Stripes { .. } => 3132,
            Self::NoSuchFile { .. } => 3234,
            Self::NotAllowed { number, .. } | Self::Server { number, .. } => *number,
        }
    }
}
