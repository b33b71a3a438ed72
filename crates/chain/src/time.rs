//! Two clocks that must not be mixed: the database server's and the repository's.

use std::fmt;
use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};

/// A moment on the database server's local clock, as backup headers and `STOPAT` have it.
///
/// It says nothing about the time zone; [`BackupSet::utc_offset`](crate::BackupSet) does, where
/// the server wrote it down.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerTime(i64);

/// A moment in UTC, as the repository's clock has it. Microseconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcTime(i64);

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

impl ServerTime {
    /// From microseconds since 1970-01-01T00:00:00 on the same local clock.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From a calendar date and time; `None` when there is no such date or time.
    pub fn from_calendar(
        year: i16,
        month: i8,
        day: i8,
        hour: i8,
        minute: i8,
        second: i8,
    ) -> Option<Self> {
        let at = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
        Self::from_civil(at)
    }

    /// Microseconds since 1970-01-01T00:00:00 on the same local clock.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    fn from_civil(at: DateTime) -> Option<Self> {
        i64::try_from(at.duration_since(EPOCH).as_micros())
            .ok()
            .map(Self)
    }

    fn civil(self) -> Option<DateTime> {
        EPOCH.checked_add(SignedDuration::from_micros(self.0)).ok()
    }
}

impl fmt::Display for ServerTime {
    /// Writes `2017-05-18T04:17:37`, with a fraction only where there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.civil() {
            Some(at) => at.fmt(f),
            None => write!(f, "{} µs", self.0),
        }
    }
}

impl fmt::Debug for ServerTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerTime({self})")
    }
}

impl UtcTime {
    /// From microseconds since 1970-01-01T00:00:00Z.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The time from `earlier` to `self` in microseconds; negative when `earlier` is later.
    pub const fn micros_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl UtcTime {
    /// A number that is the same for two moments of the same day, week, month or year of the UTC
    /// calendar, and greater for later ones.
    pub(crate) fn period(self, period: crate::Period) -> i64 {
        use crate::Period;

        const DAY: i64 = 24 * 60 * 60 * 1_000_000;
        let day = self.0.div_euclid(DAY);
        let date = Timestamp::from_microsecond(self.0)
            .map(|at| at.to_zoned(jiff::tz::TimeZone::UTC).date());
        match (period, date) {
            (Period::Day, _) | (_, Err(_)) => day,
            // 1970-01-01 was a Thursday.
            (Period::Week, _) => (day + 3).div_euclid(7),
            (Period::Month, Ok(date)) => i64::from(date.year()) * 12 + i64::from(date.month()),
            (Period::Year, Ok(date)) => i64::from(date.year()),
        }
    }
}

impl fmt::Display for UtcTime {
    /// Writes `2026-11-22T03:30:00Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_microsecond(self.0) {
            Ok(at) => at.fmt(f),
            Err(_) => write!(f, "{} µs", self.0),
        }
    }
}

impl fmt::Debug for UtcTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UtcTime({self})")
    }
}

/// A text that is not a time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a time: expected {expected}")]
pub struct ParseTimeError {
    /// What was found.
    pub text: String,
    /// The form that was expected.
    pub expected: &'static str,
}

impl FromStr for ServerTime {
    type Err = ParseTimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().ok().and_then(Self::from_civil).ok_or_else(|| ParseTimeError {
            text: text.to_owned(),
            expected: "`2026-11-22T14:30:00`, the server's local time, with an optional fraction",
        })
    }
}

impl FromStr for UtcTime {
    type Err = ParseTimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<Timestamp>()
            .map(|at| Self(at.as_microsecond()))
            .map_err(|_| ParseTimeError {
                text: text.to_owned(),
                expected: "`2026-11-22T14:30:00Z`, or with a UTC offset",
            })
    }
}

#[cfg(feature = "serde")]
mod as_text {
    use std::borrow::Cow;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    use super::{ServerTime, UtcTime};

    macro_rules! as_text {
        ($($name:ident)*) => {$(
            impl Serialize for $name {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.collect_str(self)
                }
            }

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
                }
            }
        )*};
    }

    as_text!(ServerTime UtcTime);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_time_goes_both_ways() {
        let time: ServerTime = "2017-05-18T04:17:37".parse().unwrap();
        assert_eq!(
            ServerTime::from_calendar(2017, 5, 18, 4, 17, 37),
            Some(time)
        );
        assert_eq!(time.to_string(), "2017-05-18T04:17:37");
    }

    #[test]
    fn no_such_day() {
        assert_eq!(ServerTime::from_calendar(2017, 2, 29, 0, 0, 0), None);
    }

    #[test]
    fn utc_time_goes_both_ways() {
        let time: UtcTime = "2026-11-22T03:30:00Z".parse().unwrap();
        assert_eq!(time.to_string(), "2026-11-22T03:30:00Z");
    }
}
