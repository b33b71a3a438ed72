//! What a plan leads to, and from where.

use crate::{BackupSetId, ForkId, Lsn, PointId, ServerTime};

/// The state that a restore is to reach.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Target {
    /// The last state that can be reached, on the newest recovery fork.
    Latest,
    /// The state at a time on the server's clock, on the fork that the database was on then.
    Time(ServerTime),
    /// The state at a time, on the way to a certain fork.
    TimeOnFork {
        /// The time on the server's clock.
        at: ServerTime,
        /// The fork.
        fork: ForkId,
    },
    /// The state at the end of a restore point.
    Point(PointId),
    /// The state at a log record.
    Lsn {
        /// The log record.
        lsn: Lsn,
        /// The fork; `None` for the newest one that has it.
        fork: Option<ForkId>,
        /// Whether the record itself is part of the state.
        including: bool,
    },
    /// The state at a marked transaction.
    Mark {
        /// The name of the mark.
        name: String,
        /// Only a mark set at this time or later.
        after: Option<ServerTime>,
        /// Whether the marked transaction is part of the state.
        including: bool,
    },
}

/// What a plan may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanOptions {
    /// Whether differentials may be used. On by default.
    pub differentials: bool,
    /// Whether logs may be used. On by default. When off, a time is met by the last full or
    /// differential that had finished by then.
    pub logs: bool,
    /// Whether backups may be used that were taken from a damaged database
    /// (`CONTINUE_AFTER_ERROR`). Off by default.
    pub taken_from_damaged: bool,
}

impl Default for PlanOptions {
    fn default() -> Self {
        Self {
            differentials: true,
            logs: true,
            taken_from_damaged: false,
        }
    }
}

/// Where a database stands that was left restoring or in standby.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Standing {
    /// The log record it needs next (`redo_start_lsn`).
    pub lsn: Lsn,
    /// The recovery fork it is on; `None` when not known, then the fork of the target is assumed.
    pub fork: Option<ForkId>,
    /// The full it was restored from. Known, a later differential of the same full may be used.
    pub base: Option<BackupSetId>,
}
