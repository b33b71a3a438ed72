//! Moments as `datetime` constants.

use vab_chain::ServerTime;

use super::Illegal;

const SECOND: i64 = 1_000_000;

/// The moment as a `datetime` constant that no language or date setting of the server changes.
///
/// `datetime` knows milliseconds that end in 0, 3 and 7 only, and rounds others to the nearest. A
/// stop must not come later than it was asked for, so what cannot be said is rounded down.
pub(super) fn constant(time: ServerTime) -> Result<String, Illegal> {
    let micros = time.as_micros();
    let (second, millis) = (micros.div_euclid(SECOND), micros.rem_euclid(SECOND) / 1_000);
    let millis = match millis % 10 {
        0..=2 => millis - millis % 10,
        3..=6 => millis - millis % 10 + 3,
        _ => millis - millis % 10 + 7,
    };
    let whole = ServerTime::from_micros(second.saturating_mul(SECOND)).to_string();
    let year = whole.split('-').next().and_then(|year| year.parse().ok());
    match year {
        Some(1753..=9999_u16) => Ok(format!("{whole}.{millis:03}")),
        _ => Err(Illegal::Time { time }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> String {
        let time = ServerTime::from_calendar(2026, 11, 22, 14, 30, 59).unwrap();
        constant(ServerTime::from_micros(time.as_micros() + micros)).unwrap()
    }

    #[test]
    fn a_moment_is_never_rounded_up() {
        assert_eq!(at(0), "2026-11-22T14:30:59.000");
        assert_eq!(at(2_999), "2026-11-22T14:30:59.000");
        assert_eq!(at(3_000), "2026-11-22T14:30:59.003");
        assert_eq!(at(6_999), "2026-11-22T14:30:59.003");
        assert_eq!(at(999_999), "2026-11-22T14:30:59.997");
        assert_eq!(at(1_000_000), "2026-11-22T14:31:00.000");
    }

    #[test]
    fn only_years_that_a_datetime_has() {
        let year = |year| ServerTime::from_calendar(year, 1, 1, 0, 0, 0).unwrap();
        assert!(constant(year(1753)).is_ok() && constant(year(9999)).is_ok());
        for time in [
            year(1752),
            year(0),
            year(-1),
            ServerTime::from_micros(i64::MIN),
            ServerTime::from_micros(i64::MAX),
        ] {
            assert_eq!(constant(time), Err(Illegal::Time { time }));
        }
    }
}
