//! How far a statement is, as the server tells with `STATS`.

use crate::request::{Progress, ProgressSink};

/// The percentage in `10 percent processed.` (message 3211).
pub(super) fn percent(message: &str) -> Option<u8> {
    let (number, rest) = message.trim().split_once(' ')?;
    let percent = number.parse().ok().filter(|percent| *percent <= 100)?;
    rest.starts_with("percent processed").then_some(percent)
}

/// Tells a percentage as bytes of `total`; nothing where that is not known.
pub(super) fn tell(sink: &ProgressSink, percent: u8, total: u64) {
    if total > 0 {
        let bytes = u128::from(total) * u128::from(percent) / 100;
        sink.tell(Progress {
            bytes: u64::try_from(bytes).unwrap_or(total),
            total,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn only_a_percentage_is_one() {
        assert_eq!(percent("5 percent processed."), Some(5));
        assert_eq!(percent("100 percent processed."), Some(100));
        for other in [
            "",
            "101 percent processed.",
            "Processed 160 pages for database 'x', file 'y' on file 1.",
            "12 percent of the people",
            "-1 percent processed.",
        ] {
            assert_eq!(percent(other), None, "{other}");
        }
    }
}
