use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;
use std::time::Duration;

use super::Moment;

const NANOS: u128 = 1_000_000_000;

/// Bytes per second, at least [`Rate::LEAST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(NonZeroU64);

/// Why a rate is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RateError {
    /// It is not a number with a unit.
    #[error("`{text}` is no rate; write it as `100MiB/s`, `1.5GB/s` or `800KiB/s`")]
    Unreadable {
        /// What was written.
        text: String,
    },
    /// Below that, life signs would come too late.
    #[error("{bytes} bytes per second are too few; the least is 64 KiB/s")]
    TooSlow {
        /// Bytes per second.
        bytes: u64,
    },
}

impl Rate {
    /// 64 KiB a second: slower, a connection could be taken for broken.
    pub const LEAST: u64 = 64 * 1024;

    /// So many bytes per second.
    ///
    /// # Errors
    /// [`RateError::TooSlow`] below [`Rate::LEAST`].
    pub const fn new(bytes: u64) -> Result<Self, RateError> {
        match NonZeroU64::new(bytes) {
            Some(rate) if bytes >= Self::LEAST => Ok(Self(rate)),
            _ => Err(RateError::TooSlow { bytes }),
        }
    }

    /// Bytes per second.
    pub const fn bytes(self) -> u64 {
        self.0.get()
    }

    /// How long `bytes` take, rounded up.
    pub fn time(self, bytes: u64) -> Duration {
        let nanos = (u128::from(bytes) * NANOS).div_ceil(u128::from(self.bytes()));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl FromStr for Rate {
    type Err = RateError;

    /// A number, a unit (`B`, `kB`, `KiB`, `MB`, `MiB`, `GB`, `GiB`; large and small letters are
    /// the same), and `/s`, which may be left out.
    fn from_str(text: &str) -> Result<Self, RateError> {
        let unreadable = || RateError::Unreadable { text: text.into() };
        let lower = text.trim().to_ascii_lowercase();
        let amount = lower.strip_suffix("/s").unwrap_or(&lower);
        let digits = amount
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(unreadable)?;
        let (number, unit) = amount.split_at_checked(digits).ok_or_else(unreadable)?;
        let unit: u64 = match unit.trim() {
            "b" => 1,
            "k" | "kb" => 1_000,
            "kib" => 1 << 10,
            "m" | "mb" => 1_000_000,
            "mib" => 1 << 20,
            "g" | "gb" => 1_000_000_000,
            "gib" => 1 << 30,
            _ => return Err(unreadable()),
        };
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        if part.is_empty() || part.len() > 9 {
            return Err(unreadable());
        }
        let whole: u64 = whole.parse().map_err(|_| unreadable())?;
        let numerator: u64 = part.parse().map_err(|_| unreadable())?;
        let places = u32::try_from(part.len()).map_err(|_| unreadable())?;
        let fraction = u128::from(numerator) * u128::from(unit) / 10_u128.pow(places);
        let bytes = whole
            .checked_mul(unit)
            .zip(u64::try_from(fraction).ok())
            .and_then(|(whole, fraction)| whole.checked_add(fraction))
            .ok_or_else(unreadable)?;
        Self::new(bytes)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.bytes();
        for (unit, size) in [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
            if bytes >= size && bytes.is_multiple_of(size) {
                return write!(f, "{} {unit}/s", bytes / size);
            }
        }
        write!(f, "{bytes} B/s")
    }
}

/// Lets bytes pass at a [`Rate`], with bursts of at most a quarter of a second. It never waits:
/// it says how long to.
///
/// Over any time `t` in which everybody waits as told, at most `rate × (t + 1/4 s)` bytes and one
/// more request pass.
#[derive(Clone, Debug)]
pub struct Bucket {
    rate: Rate,
    /// When everything that was let through would be through at the rate.
    paid: Moment,
}

impl Bucket {
    const BURST: Duration = Duration::from_millis(250);

    /// A bucket that has saved nothing yet.
    pub const fn new(rate: Rate, now: Moment) -> Self {
        Self { rate, paid: now }
    }

    /// Lets `bytes` pass now; gives how long to wait before the next ones. Those who take in turn
    /// wait in turn.
    pub fn take(&mut self, now: Moment, bytes: u64) -> Duration {
        let idle = now.since(self.paid);
        if idle > Self::BURST {
            self.paid = self.paid.after(idle.saturating_sub(Self::BURST));
        }
        self.paid = self.paid.after(self.rate.time(bytes));
        self.paid.since(now)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(bytes: u64) -> Rate {
        Rate::new(bytes).unwrap()
    }

    #[test]
    fn rates_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("100MiB/s", 100 << 20),
            ("1.5gb/s", 1_500_000_000),
            ("800 KiB", 800 << 10),
            ("70000b/s", 70_000),
            ("0.25GiB/s", 1 << 28),
        ] {
            assert_eq!(text.parse(), Ok(rate(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for text in [
            "",
            "100",
            "MiB/s",
            "-1MiB/s",
            "1.MiB/s",
            "1e3MiB/s",
            "1.2.3MB/s",
            "10TiB/s",
            "é",
            "18446744073709551615GiB/s",
            "1.1234567890MB/s",
        ] {
            let error = text.parse::<Rate>().unwrap_err();
            assert!(matches!(error, RateError::Unreadable { .. }), "{text}");
        }
        assert_eq!(
            "1KiB/s".parse::<Rate>(),
            Err(RateError::TooSlow { bytes: 1024 })
        );
        assert_eq!(
            "0MiB/s".parse::<Rate>(),
            Err(RateError::TooSlow { bytes: 0 })
        );
    }

    #[test]
    fn a_rate_is_shown_in_the_largest_unit_that_is_exact() {
        assert_eq!(rate(100 << 20).to_string(), "100 MiB/s");
        assert_eq!(rate(100_000_000).to_string(), "100000000 B/s");
    }

    #[test]
    fn a_steady_taker_gets_the_rate() {
        let mut now = Moment::START;
        let mut bucket = Bucket::new(rate(1 << 20), now);
        for _ in 0..160 {
            now = now.after(bucket.take(now, 64 << 10));
        }
        // 10 MiB at 1 MiB/s.
        assert_eq!(now.elapsed(), Duration::from_secs(10));
    }

    #[test]
    fn two_takers_get_half_each() {
        let mut bucket = Bucket::new(rate(1 << 20), Moment::START);
        let mut takers = [(Moment::START, 0_u64); 2];
        while takers
            .iter()
            .any(|(free, _)| free.elapsed() < Duration::from_secs(10))
        {
            let next = usize::from(takers[1].0 < takers[0].0);
            let (now, taken) = takers[next];
            takers[next] = (now.after(bucket.take(now, 16 << 10)), taken + (16 << 10));
        }
        let [(_, one), (_, two)] = takers;
        assert!(one.abs_diff(two) <= 32 << 10, "{one} and {two}");
        assert!(
            (one + two).abs_diff(10 << 20) <= 64 << 10,
            "{one} and {two}"
        );
    }

    proptest! {
        #[test]
        fn no_more_than_the_rate_passes_in_any_time(
            speed in Rate::LEAST..10_000_000_000,
            takes in prop::collection::vec((1_u64..5_000_000, 0_u64..3_000_000_000), 1..60),
        ) {
            let rate = rate(speed);
            let mut now = Moment::START;
            let mut bucket = Bucket::new(rate, now);
            let mut passed: Vec<(Moment, u64)> = Vec::new();
            for (bytes, idle) in takes {
                passed.push((now, bytes));
                now = now.after(bucket.take(now, bytes)).after(Duration::from_nanos(idle));
            }
            for (first, (start, _)) in passed.iter().enumerate() {
                let mut sum = 0_u128;
                for (moment, bytes) in &passed[first..] {
                    // What passed in this time, but for the last request.
                    let time = moment.since(*start) + Bucket::BURST;
                    let most = u128::from(speed) * time.as_nanos() / NANOS;
                    prop_assert!(sum <= most, "{sum} bytes in {time:?}, {most} allowed");
                    sum += u128::from(*bytes);
                }
            }
        }
    }
}
