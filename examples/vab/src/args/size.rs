//! Sizes as people write them.

use std::fmt;
use std::str::FromStr;

/// Bytes: a whole number with `B`, `KiB` or `MiB`, or without a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub u32);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.trim().to_ascii_lowercase();
        let end = lower
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(lower.len());
        let (number, unit) = lower.split_at(end);
        let unit: u32 = match unit.trim() {
            "" | "b" => 1,
            "k" | "kb" | "kib" => 1 << 10,
            "m" | "mb" | "mib" => 1 << 20,
            _ => return Err("expected bytes, KiB or MiB, such as 64KiB".to_owned()),
        };
        let bytes = number
            .parse::<u32>()
            .ok()
            .and_then(|number| number.checked_mul(unit));
        bytes
            .map(Self)
            .ok_or_else(|| "expected a size below 4GiB, such as 64KiB".to_owned())
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes > 0 && bytes % (1 << 20) == 0 => write!(f, "{}MiB", bytes >> 20),
            bytes if bytes > 0 && bytes % (1 << 10) == 0 => write!(f, "{}KiB", bytes >> 10),
            bytes => write!(f, "{bytes}B"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_as_it_is_written() {
        for (text, bytes) in [
            ("512", 512),
            ("64KiB", 65_536),
            ("1 mib", 1 << 20),
            ("4M", 4 << 20),
        ] {
            let size: Size = text.parse().unwrap();
            assert_eq!(size.0, bytes, "{text}");
            assert_eq!(size.to_string().parse::<Size>().unwrap(), size);
        }
        for text in ["", "K", "-1", "1.5M", "1G", "5000MiB", "99999999999"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
