//! Whether a restore point can be restored.

use std::fmt;

use crate::{BackupKind, BackupSetId, Chain, Lsn, PointId, UnreachableCause, Unusable};

/// Whether a restore point can be restored, and if not, why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum PointState {
    /// A sequence of restores leads to its end.
    Restorable,
    /// It is itself not usable.
    Unusable(Unusable),
    /// The full under a differential cannot be restored.
    Base(BaseProblem),
    /// Log is missing before a log.
    LogGap {
        /// The first log record that is missing.
        from: Lsn,
        /// Where the log goes on.
        to: Lsn,
    },
    /// A backup before a log is needed and cannot be used, or there is none to begin with.
    Unreachable(UnreachableCause),
}

/// What is wrong with the base of a differential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum BaseProblem {
    /// It is not there.
    Missing {
        /// The base that the differential names.
        base: Option<BackupSetId>,
        /// The checkpoint LSN of that base.
        lsn: Lsn,
    },
    /// It is there, but not usable.
    Unusable {
        /// The full.
        full: PointId,
        /// Why not.
        why: Unusable,
    },
}

impl PointState {
    /// Whether the point can be restored.
    pub fn is_restorable(&self) -> bool {
        *self == Self::Restorable
    }

    /// A short name that stays the same: `restorable`, `base missing`, `log gap`, …
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Restorable => "restorable",
            Self::Unusable(Unusable::TakenFromDamagedDatabase) => "database was damaged",
            Self::Unusable(Unusable::LeftOut) => "left out",
            Self::Unusable(_) => "damaged",
            Self::Base(BaseProblem::Missing { .. }) => "base missing",
            Self::Base(BaseProblem::Unusable { .. }) => "base damaged",
            Self::LogGap { .. } => "log gap",
            Self::Unreachable(UnreachableCause::NoFullBefore { .. }) => "no full before",
            Self::Unreachable(_) => "not reachable",
        }
    }
}

impl fmt::Display for PointState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Restorable => f.write_str("restorable"),
            Self::Unusable(why) => write!(f, "not restorable: {why}"),
            Self::Base(BaseProblem::Missing {
                base: Some(base), ..
            }) => write!(f, "base missing: the full {base} is not there"),
            Self::Base(BaseProblem::Missing { base: None, lsn }) => {
                write!(
                    f,
                    "base missing: the full with checkpoint LSN {lsn} is not there"
                )
            }
            Self::Base(BaseProblem::Unusable { full, why }) => {
                write!(f, "base not usable: {full}: {why}")
            }
            Self::LogGap { from, to } => {
                write!(f, "log gap: log is missing from LSN {from} to {to}")
            }
            Self::Unreachable(cause) => write!(f, "not restorable: {cause}"),
        }
    }
}

impl Chain {
    /// Whether a point can be restored; `None` when there is no such point.
    pub fn state(&self, point: PointId) -> Option<PointState> {
        let slot = self.slot_of(point)?;
        if super::build::data_usable(self, slot) {
            return Some(PointState::Restorable);
        }
        let facts = self.at(slot)?;
        let is_log = facts.kind == BackupKind::Log && facts.unusable.is_none();
        if is_log && self.end_of(facts).is_some_and(|end| self.is_reached(end)) {
            return Some(PointState::Restorable);
        }
        let state = match crate::plan::cause_of(self, slot) {
            None => PointState::Restorable,
            Some(cause) => match cause {
                UnreachableCause::Unusable { point: what, why } if what == point => {
                    PointState::Unusable(why)
                }
                UnreachableCause::BaseMissing {
                    differential,
                    base,
                    base_lsn,
                } if differential == point => PointState::Base(BaseProblem::Missing {
                    base,
                    lsn: base_lsn,
                }),
                UnreachableCause::BaseUnusable {
                    differential,
                    full,
                    why,
                } if differential == point => PointState::Base(BaseProblem::Unusable { full, why }),
                UnreachableCause::LogGap { from, to, .. } => PointState::LogGap { from, to },
                cause => PointState::Unreachable(cause),
            },
        };
        Some(state)
    }
}
