//! What can be asked of compression.

use std::fmt;
use std::str::FromStr;

use crate::block::Codec;

/// How blocks are to be compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// With LZ4 (feature `lz4`): fast, and fast to read.
    Lz4,
    /// With Zstandard (feature `zstd`): smaller.
    Zstd {
        /// 1 (fast) to 19 (small); 3 is a good middle.
        level: i32,
    },
    /// A sample of each block decides whether it is worth it, and [`Bottleneck`] how hard to try.
    /// It uses what this program was built with.
    Auto,
}

/// What a backup is waiting for; decides how hard [`Compression::Auto`] tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Bottleneck {
    /// Not known.
    #[default]
    Unknown,
    /// Compression: the way to the target is idle. Compress less.
    Compression,
    /// The network or the target: blocks pile up behind compression. Compress more.
    Target,
}

impl Compression {
    /// The levels of Zstandard that may be asked for.
    pub const LEVELS: std::ops::RangeInclusive<i32> = 1..=19;

    /// Whether this program was built with what this needs.
    pub const fn is_supported(self) -> bool {
        match self {
            Self::None | Self::Auto => true,
            Self::Lz4 => cfg!(feature = "lz4"),
            Self::Zstd { .. } => cfg!(feature = "zstd"),
        }
    }

    /// The codec and level for a block that is worth compressing.
    pub(super) const fn choice(self, bottleneck: Bottleneck) -> (Codec, i32) {
        match self {
            Self::None => (Codec::Raw, 0),
            Self::Lz4 => (Codec::Lz4, 0),
            Self::Zstd { level } => (Codec::Zstd, level),
            Self::Auto => auto(bottleneck),
        }
    }
}

const fn auto(bottleneck: Bottleneck) -> (Codec, i32) {
    let (lz4, zstd) = (cfg!(feature = "lz4"), cfg!(feature = "zstd"));
    match (lz4, zstd, bottleneck) {
        (false, false, _) => (Codec::Raw, 0),
        (true, false, _) | (true, true, Bottleneck::Compression) => (Codec::Lz4, 0),
        (_, true, Bottleneck::Target) => (Codec::Zstd, 3),
        (_, true, Bottleneck::Unknown | Bottleneck::Compression) => (Codec::Zstd, 1),
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.pad("none"),
            Self::Lz4 => f.pad("lz4"),
            Self::Zstd { level } => write!(f, "zstd:{level}"),
            Self::Auto => f.pad("auto"),
        }
    }
}

/// A text that names no compression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no compression: expected none, lz4, zstd, zstd:1 to zstd:19, or auto")]
pub struct ParseCompressionError {
    /// What was found.
    pub text: String,
}

impl FromStr for Compression {
    type Err = ParseCompressionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || ParseCompressionError {
            text: text.to_owned(),
        };
        match text {
            "none" => Ok(Self::None),
            "lz4" => Ok(Self::Lz4),
            "zstd" => Ok(Self::Zstd { level: 3 }),
            "auto" => Ok(Self::Auto),
            _ => {
                let level = text.strip_prefix("zstd:").ok_or_else(unknown)?;
                let level = level.parse().map_err(|_| unknown())?;
                if Self::LEVELS.contains(&level) {
                    Ok(Self::Zstd { level })
                } else {
                    Err(unknown())
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for text in ["none", "lz4", "zstd:1", "zstd:19", "auto"] {
            let compression: Compression = text.parse().unwrap();
            assert_eq!(compression.to_string(), text);
        }
        assert_eq!("zstd".parse(), Ok(Compression::Zstd { level: 3 }));
    }

    #[test]
    fn what_is_no_compression_is_refused() {
        for text in ["", "gzip", "zstd:0", "zstd:20", "zstd:-1", "zstd:x", "LZ4"] {
            assert!(text.parse::<Compression>().is_err(), "{text}");
        }
    }
}
