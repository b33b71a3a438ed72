//! Kinds of records.

use std::fmt;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum RecordKind {
    /// A block of a stream.
    Block,
    /// The places of a run of blocks of a stream.
    Index,
    /// The end of a committed session.
    Commit,
}

impl RecordKind {
    /// The first four bytes of a record of this kind.
    pub const fn magic(self) -> [u8; 4] {
        match self {
            Self::Block => crate::block::BlockHeader::MAGIC,
            Self::Index => *b"VIDX",
            Self::Commit => *b"VCMT",
        }
    }

    /// The kind of a record that begins with these bytes.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        [Self::Block, Self::Index, Self::Commit]
            .into_iter()
            .find(|kind| bytes.starts_with(&kind.magic()))
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Block => "block",
            Self::Index => "index segment",
            Self::Commit => "commit record",
        })
    }
}
