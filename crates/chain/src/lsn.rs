//! Log sequence numbers.

use std::fmt;
use std::str::FromStr;

/// A log sequence number: virtual log file, block in it, slot in the block.
///
/// LSNs are ordered and compared; there is no arithmetic on them, because the distance between
/// two LSNs means nothing.
///
/// ```
/// use vab_chain::Lsn;
///
/// let lsn: Lsn = "24000000041900037".parse()?;
/// assert_eq!(lsn, Lsn::new(24, 419, 37));
/// assert_eq!(lsn.to_string(), "24000000041900037");
/// # Ok::<(), vab_chain::ParseLsnError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lsn {
    vlf: u32,
    block: u32,
    slot: u16,
}

/// A block number and a slot take this many values in the decimal form (`numeric(25,0)`).
const SLOTS: u128 = 100_000;
const BLOCKS: u128 = 10_000_000_000;

impl Lsn {
    /// The value SQL Server writes for "none".
    pub const ZERO: Self = Self::new(0, 0, 0);

    /// The greatest LSN that can be written.
    pub const MAX: Self = Self::new(u32::MAX, u32::MAX, u16::MAX);

    /// An LSN from its three parts.
    pub const fn new(vlf: u32, block: u32, slot: u16) -> Self {
        Self { vlf, block, slot }
    }

    /// The sequence number of the virtual log file.
    pub const fn vlf(self) -> u32 {
        self.vlf
    }

    /// The log block in the virtual log file, in units of 512 bytes.
    pub const fn block(self) -> u32 {
        self.block
    }

    /// The log record in the block.
    pub const fn slot(self) -> u16 {
        self.slot
    }

    /// The decimal form used by `msdb` and `RESTORE HEADERONLY`.
    pub fn to_decimal(self) -> u128 {
        (u128::from(self.vlf) * BLOCKS + u128::from(self.block)) * SLOTS + u128::from(self.slot)
    }

    /// Reads the decimal form.
    ///
    /// # Errors
    /// When a part is beyond its range.
    pub fn from_decimal(value: u128) -> Result<Self, ParseLsnError> {
        let out_of_range = || ParseLsnError {
            text: value.to_string(),
        };
        Ok(Self {
            vlf: u32::try_from(value / SLOTS / BLOCKS).map_err(|_| out_of_range())?,
            block: u32::try_from(value / SLOTS % BLOCKS).map_err(|_| out_of_range())?,
            slot: u16::try_from(value % SLOTS).map_err(|_| out_of_range())?,
        })
    }

    /// The least LSN that is greater, as a bound to compare with; no record need be there.
    pub(crate) fn next(self) -> Self {
        let (slot, slot_over) = self.slot.overflowing_add(1);
        let (block, block_over) = self.block.overflowing_add(u32::from(slot_over));
        match self.vlf.checked_add(u32::from(block_over)) {
            Some(vlf) => Self { vlf, block, slot },
            None => Self::MAX,
        }
    }

    /// Whether this is [`Lsn::ZERO`].
    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }
}

impl fmt::Display for Lsn {
    /// Writes the decimal form; `{:#}` writes `0x00000018:000001a3:0025`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            write!(f, "0x{:08x}:{:08x}:{:04x}", self.vlf, self.block, self.slot)
        } else {
            write!(f, "{}", self.to_decimal())
        }
    }
}

impl fmt::Debug for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lsn({}:{}:{})", self.vlf, self.block, self.slot)
    }
}

/// A text that is not an LSN.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an LSN: expected decimal digits, `0x…:…:…` or `…:…:…` (hexadecimal)")]
pub struct ParseLsnError {
    /// What was found.
    pub text: String,
}

impl FromStr for Lsn {
    type Err = ParseLsnError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let not_an_lsn = || ParseLsnError {
            text: text.to_owned(),
        };
        if text.contains(':') {
            let digits = text.strip_prefix("0x").unwrap_or(text);
            let mut parts = digits.split(':');
            let mut part = || {
                parts
                    .next()
                    .filter(|p| !p.starts_with('+'))
                    .ok_or_else(not_an_lsn)
            };
            let lsn = Self {
                vlf: u32::from_str_radix(part()?, 16).map_err(|_| not_an_lsn())?,
                block: u32::from_str_radix(part()?, 16).map_err(|_| not_an_lsn())?,
                slot: u16::from_str_radix(part()?, 16).map_err(|_| not_an_lsn())?,
            };
            return match parts.next() {
                None => Ok(lsn),
                Some(_) => Err(not_an_lsn()),
            };
        }
        if text.starts_with('+') {
            return Err(not_an_lsn());
        }
        Self::from_decimal(text.parse().map_err(|_| not_an_lsn())?).map_err(|_| not_an_lsn())
    }
}

/// LSNs are written as decimal strings: they are beyond 2^53, where many readers lose digits.
#[cfg(feature = "serde")]
impl serde::Serialize for Lsn {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Lsn {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_form_of_a_real_header() {
        let lsn: Lsn = "134000000042400111".parse().unwrap();
        assert_eq!((lsn.vlf(), lsn.block(), lsn.slot()), (134, 424, 111));
        assert_eq!(lsn.to_string(), "134000000042400111");
    }

    #[test]
    fn hexadecimal_form_goes_both_ways() {
        let lsn = Lsn::new(24, 419, 37);
        assert_eq!(format!("{lsn:#}"), "0x00000018:000001a3:0025");
        assert_eq!("0x00000018:000001a3:0025".parse(), Ok(lsn));
        assert_eq!("18:1a3:25".parse(), Ok(lsn));
    }

    #[test]
    fn rejects_what_is_not_an_lsn() {
        for text in [
            "",
            "x",
            "-1",
            "+1",
            "1:2",
            "1:2:3:4",
            "0x1:2:+3",
            "99999999999999999999999999",
        ] {
            assert!(text.parse::<Lsn>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_next_lsn_carries_over() {
        assert_eq!(Lsn::new(1, 2, 3).next(), Lsn::new(1, 2, 4));
        assert_eq!(Lsn::new(1, u32::MAX, u16::MAX).next(), Lsn::new(2, 0, 0));
        assert_eq!(Lsn::MAX.next(), Lsn::MAX);
    }

    #[test]
    fn a_slot_beyond_its_range_is_refused() {
        assert!(Lsn::from_decimal(65_536).is_err());
        assert_eq!(Lsn::from_decimal(65_535), Ok(Lsn::new(0, 0, u16::MAX)));
    }
}
