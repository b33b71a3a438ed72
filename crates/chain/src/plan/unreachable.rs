//! Why a state cannot be reached, and what can be reached instead.

use std::fmt;

use crate::{BackupSetId, ForkId, Lsn, PointId, ServerTime, Unusable};

use super::note::ForkName;

/// No sequence of the backups that are there leads to the target.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Unreachable {
    /// What is in the way.
    pub cause: Box<UnreachableCause>,
    /// The last state before the target that can be reached.
    pub before: Option<Near>,
    /// The first state after the target that can be reached.
    pub after: Option<Near>,
}

/// A state that can be reached, near one that cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Near {
    /// Its time on the server's clock.
    pub time: ServerTime,
    /// The recovery fork it is on, where it is known.
    pub fork: Option<ForkId>,
}

/// What is in the way of a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum UnreachableCause {
    /// There are no backups at all.
    NoBackups,
    /// There is no such restore point.
    NoSuchPoint {
        /// The restore point.
        point: PointId,
    },
    /// No backup is on this recovery fork.
    NoSuchFork {
        /// The fork.
        fork: ForkId,
    },
    /// No backup knows such a mark.
    NoSuchMark {
        /// Its name.
        name: String,
    },
    /// No full backup had finished by then on the way there.
    NoFullBefore {
        /// The fork of the target.
        fork: Option<ForkId>,
        /// The first full that is later.
        first: Option<PointId>,
    },
    /// The full under a differential is not there.
    BaseMissing {
        /// The differential.
        differential: PointId,
        /// The base it names.
        base: Option<BackupSetId>,
        /// The checkpoint LSN of that base.
        base_lsn: Lsn,
    },
    /// The full under a differential cannot be used.
    BaseUnusable {
        /// The differential.
        differential: PointId,
        /// The full.
        full: PointId,
        /// Why not.
        why: Unusable,
    },
    /// A backup that is needed cannot be used.
    Unusable {
        /// The backup.
        point: PointId,
        /// Why not.
        why: Unusable,
    },
    /// Log is missing in the middle.
    LogGap {
        /// The fork it is missing on.
        fork: Option<ForkId>,
        /// The first log record that is missing.
        from: Lsn,
        /// Where the log goes on.
        to: Lsn,
        /// The log backup that goes on there.
        next: PointId,
    },
    /// The target lies inside a log with bulk-logged changes: such a log can be restored only to
    /// its end.
    BulkLogged {
        /// The log.
        log: PointId,
    },
    /// Nothing leads beyond this place.
    PastEnd {
        /// The fork.
        fork: Option<ForkId>,
        /// Where the last backup on the way ends.
        lsn: Lsn,
    },
    /// The database has already passed the target.
    AlreadyPassed {
        /// Where it stands.
        standing: Lsn,
    },
    /// The database stands on another fork than the target.
    StandsElsewhere {
        /// The fork it stands on.
        fork: Option<ForkId>,
    },
}

impl UnreachableCause {
    /// A short name that stays the same: `log_gap`, `base_missing`, …
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoBackups => "no_backups",
            Self::NoSuchPoint { .. } => "no_such_point",
            Self::NoSuchFork { .. } => "no_such_fork",
            Self::NoSuchMark { .. } => "no_such_mark",
            Self::NoFullBefore { .. } => "no_full_before",
            Self::BaseMissing { .. } => "base_missing",
            Self::BaseUnusable { .. } => "base_unusable",
            Self::Unusable { .. } => "unusable",
            Self::LogGap { .. } => "log_gap",
            Self::BulkLogged { .. } => "bulk_logged",
            Self::PastEnd { .. } => "past_end",
            Self::AlreadyPassed { .. } => "already_passed",
            Self::StandsElsewhere { .. } => "stands_elsewhere",
        }
    }
}

impl fmt::Display for UnreachableCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBackups => f.write_str("there are no backups"),
            Self::NoSuchPoint { point } => write!(f, "there is no restore point {point}"),
            Self::NoSuchFork { fork } => write!(f, "no backup is on the recovery fork {fork}"),
            Self::NoSuchMark { name } => write!(f, "no backup is known to hold the mark `{name}`"),
            Self::NoFullBefore { first: None, .. } => {
                f.write_str("there is no full backup to begin with")
            }
            Self::NoFullBefore {
                first: Some(first), ..
            } => write!(f, "the first full backup, {first}, is later"),
            Self::BaseMissing {
                differential,
                base: Some(base),
                ..
            } => write!(
                f,
                "base missing: the full {base} that the differential {differential} is based on \
                 is not there"
            ),
            Self::BaseMissing {
                differential,
                base: None,
                base_lsn,
            } => write!(
                f,
                "base missing: the full with checkpoint LSN {base_lsn} that the differential \
                 {differential} is based on is not there"
            ),
            Self::BaseUnusable {
                differential,
                full,
                why,
            } => write!(
                f,
                "base of the differential {differential} not usable: {full}: {why}"
            ),
            Self::Unusable { point, why } => write!(f, "{point} is needed, but {why}"),
            Self::LogGap {
                fork,
                from,
                to,
                next,
            } => {
                write!(
                    f,
                    "log is missing from LSN {from} to {to}, where {next} goes on"
                )?;
                match fork {
                    Some(fork) => write!(f, " (recovery fork {fork})"),
                    None => Ok(()),
                }
            }
            Self::BulkLogged { log } => write!(
                f,
                "the log {log} holds bulk-logged changes, so that a restore cannot stop inside it"
            ),
            Self::PastEnd { fork, lsn } => {
                write!(f, "no log goes on after LSN {lsn}")?;
                match fork {
                    Some(fork) => write!(f, " on the recovery fork {fork}"),
                    None => Ok(()),
                }
            }
            Self::AlreadyPassed { standing } => write!(
                f,
                "the database stands at LSN {standing}, which is later than the target"
            ),
            Self::StandsElsewhere { fork } => write!(
                f,
                "the database stands on the recovery fork {}, which does not lead to the target",
                ForkName(*fork)
            ),
        }
    }
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot be restored: {}", self.cause)?;
        match (self.before, self.after) {
            (Some(before), Some(after)) => write!(
                f,
                "; the nearest states that can are {} and {}",
                before.time, after.time
            ),
            (Some(before), None) => write!(f, "; the last state that can is {}", before.time),
            (None, Some(after)) => write!(f, "; the first state that can is {}", after.time),
            (None, None) => Ok(()),
        }
    }
}

impl std::error::Error for Unreachable {}
