//! Sizes for people.

use std::fmt;

/// A number of bytes, written as `1.4 MiB`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes(pub u64);

const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value = self.0;
        let mut tenths = 0;
        let mut unit = "B";
        for next in UNITS {
            if value < 1024 {
                break;
            }
            tenths = value % 1024 * 10 / 1024;
            value /= 1024;
            unit = next;
        }
        f.pad(&if unit == "B" {
            format!("{value} B")
        } else {
            format!("{value}.{tenths} {unit}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Bytes;

    #[test]
    fn sizes_read_well() {
        assert_eq!(Bytes(0).to_string(), "0 B");
        assert_eq!(Bytes(1023).to_string(), "1023 B");
        assert_eq!(Bytes(1536).to_string(), "1.5 KiB");
        assert_eq!(Bytes(3_325_952).to_string(), "3.1 MiB");
        assert_eq!(Bytes(u64::MAX).to_string(), "15.9 EiB");
    }
}
