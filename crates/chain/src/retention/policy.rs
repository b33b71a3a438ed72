//! What is to be kept.

use std::fmt;

/// How long restore points are kept. Each rule that is set speaks for what it wants to keep; a
/// chain goes when no rule speaks for it any more. Without any rule, everything stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct RetentionPolicy {
    /// Keep every point for this many days after it was committed. A chain stays until its last
    /// point is that old, so that space is needed for about this long and one interval between
    /// fulls. What is promised are restore points: the moments between the last point of a chain
    /// and the next full go with the chain.
    pub days: Option<u32>,
    /// Keep the last fulls that are not copy-only, with all that depends on them.
    pub fulls: Option<u32>,
    /// Keep the chains of the last restore points.
    pub last: Option<u32>,
    /// Keep one full per day, week, month, year.
    pub gfs: Gfs,
}

/// Grandfather, father, son: of each of the last so many days (weeks, months, years) that have
/// one, the last full that is not copy-only, with all that depends on it. Periods are those of
/// the UTC calendar; weeks begin on Monday.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct Gfs {
    /// Days.
    pub daily: u32,
    /// Weeks.
    pub weekly: u32,
    /// Months.
    pub monthly: u32,
    /// Years.
    pub yearly: u32,
}

impl RetentionPolicy {
    /// Keeps every point for this many days.
    pub fn days(days: u32) -> Self {
        Self {
            days: Some(days),
            ..Self::default()
        }
    }

    /// Keeps the last `count` fulls, with all that depends on them.
    pub fn fulls(count: u32) -> Self {
        Self {
            fulls: Some(count),
            ..Self::default()
        }
    }

    /// Whether no rule is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A period of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Period {
    /// A day.
    Day,
    /// A week, beginning on Monday.
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        })
    }
}
