//! Positions in the log.

use std::fmt;
use std::str::FromStr;

/// A position in the write-ahead log (`pg_lsn`): a number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

/// A text that is not a position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a position in the log: expected a form like `16/B374D848`")]
pub struct ParsePositionError {
    /// What was found.
    pub text: String,
}

impl Position {
    /// The upper 32 bits, which stand before the slash.
    pub fn high(self) -> u32 {
        u32::try_from(self.0 >> 32).unwrap_or_default()
    }

    /// The lower 32 bits, which stand behind the slash.
    pub fn low(self) -> u32 {
        u32::try_from(self.0 & u64::from(u32::MAX)).unwrap_or_default()
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.high(), self.low())
    }
}

impl FromStr for Position {
    type Err = ParsePositionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let part = |text: &str| {
            let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
            let part = u32::from_str_radix(text, 16).ok().filter(|_| digits)?;
            Some(u64::from(part))
        };
        let parts = text.split_once('/');
        parts
            .and_then(|(high, low)| Some(Self(part(high)? << 32 | part(low)?)))
            .ok_or_else(|| ParsePositionError {
                text: text.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_goes_both_ways() {
        let position: Position = "16/B374D848".parse().unwrap();
        assert_eq!(position, Position(0x16_B374_D848));
        assert_eq!(position.to_string(), "16/B374D848");
    }

    #[test]
    fn what_is_no_position_is_refused() {
        for text in ["", "/", "0", "0/", "+1/2", "1/100000000", "1/2/3", "g/1"] {
            assert!(text.parse::<Position>().is_err(), "{text}");
        }
    }
}
