//! What was done to a block's bytes before they were stored.

use std::fmt;

/// How a block's payload is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[repr(u8)]
#[non_exhaustive]
pub enum Codec {
    /// Not at all.
    #[default]
    Raw = 0,
    /// LZ4 block format.
    Lz4 = 1,
    /// One Zstandard frame.
    Zstd = 2,
}

impl Codec {
    /// The number in the format.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The codec of that number.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Raw),
            1 => Some(Self::Lz4),
            2 => Some(Self::Zstd),
            _ => None,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Raw => "raw",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        })
    }
}

/// Marks on a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct BlockFlags(u16);

impl BlockFlags {
    /// No marks.
    pub const NONE: Self = Self(0);

    /// The payload is encrypted (after it was compressed).
    pub const ENCRYPTED: Self = Self(1);

    const KNOWN: u16 = Self::ENCRYPTED.0;

    /// The bits in the format.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// The marks with these bits; `None` when one of them is not known.
    pub const fn from_bits(bits: u16) -> Option<Self> {
        if bits & !Self::KNOWN == 0 {
            Some(Self(bits))
        } else {
            None
        }
    }

    /// Whether every mark of `other` is set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl std::ops::BitOr for BlockFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
