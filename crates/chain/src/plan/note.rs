//! What a person should know about a plan.

use std::fmt;

use crate::{ForkId, Lsn, PointId, ServerTime};

use super::UnreachableCause;

/// A remark on a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Note {
    /// The header of a differential does not name its base.
    BaseFoundByLsn {
        /// The differential.
        differential: PointId,
        /// The full that was taken to be its base.
        full: PointId,
        /// The checkpoint LSN that both have.
        lsn: Lsn,
    },
    /// Some headers do not name their recovery fork.
    ForkAssumed {
        /// The only fork that others name; `None` when no header names one.
        fork: Option<ForkId>,
    },
    /// There are later backups, but no way to them.
    LaterNotReached {
        /// What is in the way.
        cause: Box<UnreachableCause>,
    },
    /// The plan ends on a fork that is not the newest one.
    OlderFork {
        /// The fork of the plan.
        fork: Option<ForkId>,
        /// The newest one.
        newest: Option<ForkId>,
    },
    /// The target lies in the time that a log backup took. Should the server say that the stop
    /// is not reached, the next log has the rest.
    InsideBackupTime {
        /// The log that the plan stops in.
        log: PointId,
        /// The log after it.
        next: PointId,
    },
    /// The log that the plan stops in crosses from one fork to another, and it is not known when
    /// the recovery between the two was.
    CrossesFork {
        /// The log.
        log: PointId,
        /// Where it crosses.
        at: Lsn,
    },
    /// The restore point that was asked for holds nothing that is not there without it.
    PointNotNeeded {
        /// The restore point.
        point: PointId,
    },
    /// Backups of a damaged database are used, which takes `CONTINUE_AFTER_ERROR`.
    TakenFromDamaged {
        /// One of them.
        point: PointId,
    },
    /// Without logs, a time is met only by the last backup before.
    LastBefore {
        /// The time asked for.
        wanted: ServerTime,
        /// The time reached.
        reached: ServerTime,
    },
    /// The LSN is on several forks.
    SeveralForks {
        /// The LSN.
        lsn: Lsn,
        /// The fork that was taken.
        fork: Option<ForkId>,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BaseFoundByLsn {
                differential,
                full,
                lsn,
            } => write!(
                f,
                "the header of the differential {differential} does not name its base; the full \
                 {full} was taken by its checkpoint LSN {lsn}"
            ),
            Self::ForkAssumed { fork: Some(fork) } => write!(
                f,
                "some headers do not name their recovery fork; {fork} was assumed, the only one \
                 that the others name"
            ),
            Self::ForkAssumed { fork: None } => f.write_str(
                "the headers do not name recovery forks; all backups were taken to be on one",
            ),
            Self::LaterNotReached { cause } => {
                write!(f, "later backups cannot be reached: {cause}")
            }
            Self::OlderFork { fork, newest } => write!(
                f,
                "this state is on the recovery fork {}, which is not the newest one, {}",
                ForkName(*fork),
                ForkName(*newest)
            ),
            Self::InsideBackupTime { log, next } => write!(
                f,
                "the target lies within the run time of the log backup {log}; should the server \
                 say that the stop is not reached, go on with {next} and the same stop"
            ),
            Self::CrossesFork { log, at } => write!(
                f,
                "the log {log} crosses to another recovery fork at LSN {at}, and the time of that \
                 recovery is not recorded; a time between the two is met by the state at the \
                 crossing"
            ),
            Self::PointNotNeeded { point } => write!(
                f,
                "the restore point {point} is not restored itself: the same state is reached \
                 without it"
            ),
            Self::TakenFromDamaged { point } => write!(
                f,
                "{point} was taken from a damaged database; restore it with CONTINUE_AFTER_ERROR"
            ),
            Self::LastBefore { wanted, reached } => write!(
                f,
                "without logs, the last state by {wanted} is that of {reached}"
            ),
            Self::SeveralForks { lsn, fork } => write!(
                f,
                "LSN {lsn} is on several recovery forks; {} was taken, the newest",
                ForkName(*fork)
            ),
        }
    }
}

/// A fork in a sentence.
pub(crate) struct ForkName(pub(crate) Option<ForkId>);

impl fmt::Display for ForkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(id) => id.fmt(f),
            None => f.write_str("without a name"),
        }
    }
}
