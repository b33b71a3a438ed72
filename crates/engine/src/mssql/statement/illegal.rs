//! Combinations of options that the server does not take.

use vab_chain::{BackupKind, ServerTime};

/// Why no statement was built. Each says the rule, and [`Illegal::page`] where it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Illegal {
    /// Not 1 to 64 devices.
    #[error("a backup goes to 1 to 64 devices, not {found}")]
    Devices {
        /// How many were given.
        found: usize,
    },
    /// Two devices have the same name.
    #[error("the device {name} is named twice; every device of a set has its own name")]
    DeviceTwice {
        /// The name.
        name: String,
    },
    /// `tempdb`.
    #[error("tempdb cannot be backed up or restored: it is made anew when the server starts")]
    TempDb,
    /// A copy-only differential.
    #[error(
        "a differential cannot be copy-only: SQL Server ignores COPY_ONLY together with DIFFERENTIAL; leave it out"
    )]
    CopyOnlyDifferential,
    /// An option of log backups on another kind.
    #[error("{option} is an option of log backups; this is a {kind} backup")]
    LogOnly {
        /// The option.
        option: &'static str,
        /// What it was asked of.
        kind: BackupKind,
    },
    /// A copy-only backup of the tail.
    #[error(
        "a log backup with {option} ends the log chain, and a copy-only one is no part of the chain; leave out COPY_ONLY"
    )]
    CopyOnlyTail {
        /// `NORECOVERY` or `STANDBY`.
        option: &'static str,
    },
    /// Standby of a database that may be damaged.
    #[error(
        "NO_TRUNCATE is for a database that may be damaged, which cannot be rolled back to STANDBY; use NORECOVERY"
    )]
    NoTruncateStandby,
    /// `STATS` beyond its range.
    #[error("STATS is a percentage of 1 to 100, not {found}")]
    Stats {
        /// What was given.
        found: u8,
    },
    /// The consent to overwrite names another database.
    #[error("the consent to overwrite is for the database {consented}, not for {database}")]
    OtherConsent {
        /// The database to restore.
        database: String,
        /// The one that may be overwritten.
        consented: String,
    },
    /// `REPLACE` on a later step.
    #[error(
        "REPLACE overwrites a database with its full backup; a {kind} backup is applied to one that is restoring"
    )]
    ReplaceOnlyFull {
        /// What is to be restored.
        kind: BackupKind,
    },
    /// A mark by name outside a log.
    #[error(
        "only a log can be restored to a mark by its name; a {kind} backup takes STOPAT or an LSN"
    )]
    MarkOnlyLog {
        /// What is to be restored.
        kind: BackupKind,
    },
    /// A mark whose name the server would read as an LSN.
    #[error("the mark {name:?} begins with `lsn:`, which SQL Server reads as an LSN")]
    MarkIsLsn {
        /// The mark.
        name: String,
    },
    /// A stop before 1753 or after 9999.
    #[error("{time} is beyond what STOPAT can say (the years 1753 to 9999)")]
    Time {
        /// The moment.
        time: ServerTime,
    },
    /// An option that needs a recovered database.
    #[error("{option} is not permitted together with NORECOVERY; give it with the last restore")]
    NeedsRecovery {
        /// `KEEP_CDC` or `KEEP_REPLICATION`.
        option: &'static str,
    },
    /// What `master` cannot do.
    #[error(
        "master is backed up by full backups only, and restored from one of them, with RECOVERY, in single-user mode; {what} is not possible"
    )]
    Master {
        /// What was asked.
        what: &'static str,
    },
    /// A file is moved twice.
    #[error("the file {file} is moved twice")]
    MovedTwice {
        /// Its logical name.
        file: String,
    },
    /// Two files are moved to one path.
    #[error("two files are moved to {path}")]
    SamePath {
        /// The path.
        path: String,
    },
}

impl Illegal {
    /// The page of the server's documentation, and the part of it, that the rule is from.
    pub const fn page(&self) -> &'static str {
        match self {
            Self::Devices { .. } => "BACKUP (Transact-SQL), TO <backup_device>: up to 64 devices",
            Self::DeviceTwice { .. } => "Virtual device interface reference, device names of a set",
            Self::TempDb => "tempdb database, restrictions: it cannot be backed up or restored",
            Self::CopyOnlyDifferential => "BACKUP (Transact-SQL), COPY_ONLY",
            Self::LogOnly { .. } => "BACKUP (Transact-SQL), log-specific options",
            Self::CopyOnlyTail { .. } => "BACKUP (Transact-SQL), NORECOVERY and COPY_ONLY",
            Self::NoTruncateStandby => "BACKUP (Transact-SQL), NO_TRUNCATE",
            Self::Stats { .. } => "BACKUP (Transact-SQL), STATS",
            Self::OtherConsent { .. } => "RESTORE arguments (Transact-SQL), REPLACE",
            Self::ReplaceOnlyFull { .. } => "RESTORE (Transact-SQL), the REPLACE option's impact",
            Self::MarkOnlyLog { .. } | Self::MarkIsLsn { .. } => {
                "RESTORE arguments (Transact-SQL), STOPATMARK and STOPBEFOREMARK"
            }
            Self::Time { .. } => {
                "RESTORE arguments (Transact-SQL), STOPAT; datetime (Transact-SQL)"
            }
            Self::NeedsRecovery { .. } => {
                "RESTORE arguments (Transact-SQL), KEEP_CDC and KEEP_REPLICATION"
            }
            Self::Master { .. } => "Back up and restore of system databases, master",
            Self::MovedTwice { .. } | Self::SamePath { .. } => {
                "RESTORE arguments (Transact-SQL), MOVE"
            }
        }
    }
}
