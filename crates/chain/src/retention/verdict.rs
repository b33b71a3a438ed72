//! What stays and what goes, and why.

use std::fmt;

use crate::{PointId, UtcTime};

use super::Period;

/// What is to become of the restore points of one database.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Retention<F> {
    /// The chains, the oldest first.
    pub chains: Vec<ChainFate>,
    /// The files, in order.
    pub files: Vec<FileFate<F>>,
}

/// A full and all that depends on it, which stay or go together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ChainFate {
    /// The full; `None` for a point that belongs to no full that is known.
    pub full: Option<PointId>,
    /// All points, the full too. A log that is needed to cross to another recovery fork may be in
    /// two chains; it goes with the later one.
    pub points: Vec<PointId>,
    /// When the last of them was committed.
    pub last: UtcTime,
    /// What becomes of them.
    pub verdict: Verdict,
}

/// Whether something stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Verdict {
    /// It stays.
    Keep(KeepReason),
    /// It goes.
    Remove(RemoveReason),
}

/// Why a chain stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum KeepReason {
    /// No rule says that anything goes.
    NoPolicy,
    /// New backups still go with this full.
    Active,
    /// A point in it is held.
    Held {
        /// The point.
        point: PointId,
    },
    /// Its last point is not old enough.
    NotOutdated {
        /// When it will be.
        until: UtcTime,
    },
    /// It is one of the last fulls.
    AmongFulls {
        /// How many fulls have to be added before it goes.
        fulls_to_come: u32,
    },
    /// It holds one of the last restore points.
    AmongLast,
    /// It is the last full of its period.
    Gfs {
        /// Which kind of period.
        period: Period,
    },
    /// It is no older than what is kept by number.
    NotOlder,
}

/// Why a chain goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum RemoveReason {
    /// A newer full took its place, and no rule speaks for it any more.
    Outdated {
        /// When its last point was committed.
        last: UtcTime,
    },
    /// It depends on a full that is not there, and no rule speaks for it any more.
    Orphaned {
        /// When it was committed.
        last: UtcTime,
    },
}

/// What is to become of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FileFate<F> {
    /// The file.
    pub file: F,
    /// Whether it can be deleted: nothing in it has to stay.
    pub delete: bool,
    /// Points in it that have to stay.
    pub stay: Vec<PointId>,
    /// Points in it that are not needed any more, and go with the file.
    pub go: Vec<PointId>,
    /// Why it stays, by the chain that keeps it longest; `None` when it goes.
    pub because: Option<KeepReason>,
    /// When it can be deleted, as far as that is known: only time has to pass.
    pub until: Option<UtcTime>,
}

impl<F> Retention<F> {
    /// The points that stay, if every file that can be deleted is deleted: those that have to, and
    /// those that share a file with one.
    pub fn remaining(&self) -> impl Iterator<Item = PointId> + '_ {
        let files = self.files.iter().filter(|file| !file.delete);
        files.flat_map(|file| file.stay.iter().chain(&file.go).copied())
    }

    /// The files that can be deleted.
    pub fn deletable(&self) -> impl Iterator<Item = &F> {
        self.files
            .iter()
            .filter(|file| file.delete)
            .map(|file| &file.file)
    }

    /// What becomes of a point.
    pub fn verdict(&self, point: PointId) -> Option<Verdict> {
        let mut of_point = self
            .chains
            .iter()
            .filter(|chain| chain.points.contains(&point));
        let first = of_point.next()?.verdict;
        let kept = of_point.map(|chain| chain.verdict).find(Verdict::keeps);
        Some(kept.filter(|_| !first.keeps()).unwrap_or(first))
    }
}

impl Verdict {
    /// Whether it stays.
    pub const fn keeps(&self) -> bool {
        matches!(self, Self::Keep(_))
    }
}

impl KeepReason {
    /// Whether nothing but time lets the chain go, and until when.
    pub(super) const fn until(&self) -> Option<UtcTime> {
        match self {
            Self::NotOutdated { until } => Some(*until),
            _ => None,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep(reason) => write!(f, "stays: {reason}"),
            Self::Remove(reason) => write!(f, "goes: {reason}"),
        }
    }
}

impl fmt::Display for KeepReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPolicy => f.write_str("no retention is set"),
            Self::Active => f.write_str("it is the active chain; it can go only after a new full"),
            Self::Held { point } => write!(f, "the restore point {point} is held"),
            Self::NotOutdated { until } => {
                write!(f, "its last restore point is outdated at {until}")
            }
            Self::AmongFulls { fulls_to_come: 1 } => {
                f.write_str("it is among the last fulls; it can go after one more")
            }
            Self::AmongFulls { fulls_to_come } => write!(
                f,
                "it is among the last fulls; it can go after {fulls_to_come} more"
            ),
            Self::AmongLast => f.write_str("it holds one of the last restore points"),
            Self::Gfs { period } => write!(f, "it is the last full of its {period}"),
            Self::NotOlder => f.write_str("it is not older than what is kept by number"),
        }
    }
}

impl fmt::Display for RemoveReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outdated { last } => write!(
                f,
                "the chain is inactive, and its last restore point, of {last}, is outdated"
            ),
            Self::Orphaned { last } => {
                write!(
                    f,
                    "the full it needs is not there, and it is outdated, of {last}"
                )
            }
        }
    }
}

impl<F: fmt::Display> fmt::Display for Retention<F> {
    /// A line per file, as a dry run shows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for file in &self.files {
            let (stay, go) = (file.stay.len(), file.go.len());
            match file.because {
                None => writeln!(f, "{}: can be deleted ({go} restore points)", file.file)?,
                Some(reason) => {
                    write!(f, "{}: stays ({stay} restore points needed", file.file)?;
                    if go > 0 {
                        write!(f, ", {go} not")?;
                    }
                    writeln!(f, "): {reason}")?;
                }
            }
        }
        Ok(())
    }
}
