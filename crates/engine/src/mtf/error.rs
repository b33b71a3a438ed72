//! What can be wrong with a medium.

use std::fmt;
use std::io;

/// Four bytes that name a block or a stream; printed as text where they are text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag(pub [u8; 4]);

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0.escape_ascii())
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why bytes are not a whole, readable medium. Offsets are in bytes from its start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MtfError {
    /// The first bytes are those of no backup.
    #[error(
        "not a SQL Server backup: it begins with `{}`, not with `TAPE` or `MSSQLBAK`",
        .found.escape_ascii()
    )]
    NotABackup {
        /// The first bytes, at most eight.
        found: Vec<u8>,
    },
    /// The bytes end too early.
    #[error(
        "cut short: at offset {offset}, {expected} takes {needed} bytes but only {found} are \
         there; copy the file again from where it was made"
    )]
    Truncated {
        /// Where the thing begins that is not whole.
        offset: u64,
        /// What it is.
        expected: Expected,
        /// How many bytes it takes.
        needed: u64,
        /// How many of them are there.
        found: u64,
    },
    /// A header does not match its checksum.
    #[error(
        "damaged: the checksum of {what} at offset {offset} is {found:#06x}, its bytes give \
         {expected:#06x}"
    )]
    Checksum {
        /// Where the header begins.
        offset: u64,
        /// Which header.
        what: Expected,
        /// The checksum of the bytes.
        expected: u16,
        /// The checksum that is written.
        found: u16,
    },
    /// A block is not the one that has to come.
    #[error("damaged: expected {expected} at offset {offset}, found {found}")]
    UnexpectedBlock {
        /// Where the block begins.
        offset: u64,
        /// What had to come.
        expected: &'static str,
        /// What came.
        found: Tag,
    },
    /// A length is beyond what is accepted.
    #[error("damaged: {what} at offset {offset} claims {length} bytes, the limit is {limit}")]
    TooLong {
        /// Where the thing begins.
        offset: u64,
        /// What it is.
        what: Expected,
        /// The length that is written.
        length: u64,
        /// The greatest length that is accepted.
        limit: u64,
    },
    /// A field holds what it cannot hold.
    #[error("damaged: {field} at offset {offset} is {found}")]
    Field {
        /// Where the record begins that has the field.
        offset: u64,
        /// Which field.
        field: &'static str,
        /// What is there.
        found: String,
    },
    /// A record that every backup has is not there.
    #[error("damaged: {what} is missing before offset {offset}")]
    Missing {
        /// Where it is missed.
        offset: u64,
        /// Which record.
        what: &'static str,
    },
    /// More backup sets than are accepted.
    #[error("more than {limit} backup sets in one file")]
    TooManySets {
        /// The limit.
        limit: usize,
    },
}

/// A part of the structure of a medium, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// The first bytes.
    Magic,
    /// The header that every block begins with.
    BlockHeader,
    /// A block's own fields.
    Block(Tag),
    /// The header of a stream.
    StreamHeader {
        /// The block that has the stream.
        block: Tag,
    },
    /// A record of a compressed container.
    Record,
    /// The bytes of a stream.
    Stream {
        /// The block that has the stream.
        block: Tag,
        /// The stream.
        stream: Tag,
    },
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => f.write_str("the beginning of a backup"),
            Self::BlockHeader => f.write_str("a block header"),
            Self::Record => f.write_str("a record of the compressed container"),
            Self::Block(tag) => write!(f, "the block {tag}"),
            Self::StreamHeader { block } => write!(f, "a stream header of the block {block}"),
            Self::Stream { block, stream } => write!(f, "the stream {stream} of the block {block}"),
        }
    }
}

/// Why a medium could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Its bytes are not those of a whole backup.
    #[error(transparent)]
    Format(#[from] MtfError),
    /// Its bytes could not be had.
    #[error("cannot read at offset {offset}")]
    Io {
        /// Where.
        offset: u64,
        /// What the system said.
        source: io::Error,
    },
}
