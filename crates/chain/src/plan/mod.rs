//! Which backups to restore, in which order, and where to stop.

mod explain;
mod goal;
mod make;
mod note;
mod search;
mod unreachable;

pub(crate) use explain::cause_at;
pub use goal::{PlanOptions, Standing, Target};
pub(crate) use make::cause_of;
pub use note::Note;
pub use unreachable::{Near, Unreachable, UnreachableCause};

use std::fmt;

use crate::{BackupKind, BackupSetId, Chain, ForkId, Lsn, PointId, ServerTime};

/// A sequence of restores: one full, at most one differential, and each log that is needed, once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Plan {
    /// In the order to restore them. Empty only where a restore that is already under way has
    /// nothing left to do.
    pub steps: Vec<Step>,
    /// The state after the last step.
    pub reaches: Reaches,
    /// What a person should know about this plan.
    pub notes: Vec<Note>,
}

/// One restore.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Step {
    /// The restore point to restore.
    pub point: PointId,
    /// The backup set in it.
    pub set: BackupSetId,
    /// Full, differential or log.
    pub kind: BackupKind,
    /// Where to stop. Towards a time, every log gets the same stop, as the server's
    /// documentation advises; towards an LSN or a mark, only the log that holds it.
    pub stop_at: Option<StopAt>,
    /// How to leave the database.
    pub then: Then,
}

/// How a step leaves the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Then {
    /// More steps follow: `NORECOVERY`.
    Continue,
    /// The target is reached: the database can be recovered, left restoring, or left in standby.
    Done,
}

/// Where a restore of a log stops.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum StopAt {
    /// `STOPAT`: before the first transaction that was committed at this time or later.
    Time(ServerTime),
    /// `STOPBEFOREMARK = 'lsn:…'`: this log record is not restored.
    BeforeLsn(Lsn),
    /// `STOPATMARK = 'lsn:…'`: this log record is the last one restored.
    AtLsn(Lsn),
}

impl fmt::Display for StopAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) => write!(f, "stop at {time}"),
            Self::BeforeLsn(lsn) => write!(f, "stop before LSN {lsn}"),
            Self::AtLsn(lsn) => write!(f, "stop after LSN {lsn}"),
        }
    }
}

/// The state that a plan leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Reaches {
    /// The time of that state on the server's clock: the time asked for, or when the last backup
    /// finished. `None` when a stop at an LSN does not tell.
    pub time: Option<ServerTime>,
    /// The log record that would come next. `None` when a stop at a time does not tell.
    pub lsn: Option<Lsn>,
    /// The recovery fork that the state is on, where it is known.
    pub fork: Option<ForkId>,
}

impl fmt::Display for Reaches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.time, self.lsn) {
            (Some(time), Some(lsn)) => write!(f, "{time} (LSN {lsn})"),
            (Some(time), None) => write!(f, "{time}"),
            (None, Some(lsn)) => write!(f, "LSN {lsn}"),
            (None, None) => f.write_str("an unknown moment"),
        }
    }
}

impl fmt::Display for Plan {
    /// Writes a line per step, what is reached, and the notes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.steps.iter().enumerate() {
            write!(f, "{:>3}. restore {} {}", index + 1, step.kind, step.point)?;
            if let Some(stop) = &step.stop_at {
                write!(f, ", {stop}")?;
            }
            writeln!(f)?;
        }
        write!(f, "reaches {}", self.reaches)?;
        for note in &self.notes {
            write!(f, "\nnote: {note}")?;
        }
        Ok(())
    }
}

impl Chain {
    /// The shortest correct sequence of restores to `target`.
    ///
    /// # Errors
    /// When no sequence leads there: the cause, and the nearest times on both sides that can be
    /// reached.
    pub fn plan(&self, target: &Target) -> Result<Plan, Unreachable> {
        self.plan_with(target, &PlanOptions::default())
    }

    /// Like [`Chain::plan`], with a say in what may be used.
    ///
    /// # Errors
    /// As for [`Chain::plan`].
    pub fn plan_with(&self, target: &Target, options: &PlanOptions) -> Result<Plan, Unreachable> {
        make::plan(self, None, target, *options)
    }

    /// The shortest way on for a database that stands restoring or in standby.
    ///
    /// # Errors
    /// As for [`Chain::plan`], and when the database has already passed the target.
    pub fn plan_from(
        &self,
        standing: &Standing,
        target: &Target,
        options: &PlanOptions,
    ) -> Result<Plan, Unreachable> {
        make::plan(self, Some(standing), target, *options)
    }
}
