//! Which codecs occur among many blocks.

use std::fmt;

use super::Codec;

/// The codecs that occur among blocks, beside raw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Codecs {
    /// There are LZ4 blocks.
    pub lz4: bool,
    /// There are Zstandard blocks.
    pub zstd: bool,
}

impl Codecs {
    /// Counts a block.
    pub const fn insert(&mut self, codec: Codec) {
        match codec {
            Codec::Raw => {}
            Codec::Lz4 => self.lz4 = true,
            Codec::Zstd => self.zstd = true,
        }
    }
}

/// `raw` when nothing is compressed.
impl fmt::Display for Codecs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match (self.lz4, self.zstd) {
            (false, false) => "raw",
            (true, false) => "lz4",
            (false, true) => "zstd",
            (true, true) => "lz4+zstd",
        })
    }
}
