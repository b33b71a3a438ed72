//! Why a session cannot begin, go on, or be committed.

use uuid::Uuid;
use vab_format::{DecodeError, EncodeError};

use crate::storage::{StorageError, StorageErrorKind};

/// Why a session cannot begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BeginError {
    /// The repository was opened for reading.
    #[error("the repository is open read-only: a backup needs the server that has it open for writing")]
    ReadOnly,
    /// A number of streams that no session has.
    #[error("{streams} streams were asked for; a session has 1 to {limit}")]
    Streams {
        /// What was asked for.
        streams: u16,
        /// The most there can be.
        limit: u16,
    },
    /// A name that no job or database has.
    #[error("the {what} name is {length} bytes long; 1 to {limit} bytes are allowed")]
    Name {
        /// `job` or `database`.
        what: &'static str,
        /// Its length in bytes.
        length: usize,
        /// The longest there can be.
        limit: usize,
    },
    /// The current file of the database cannot be trusted.
    #[error("`{file}` cannot be appended to: {source}; run `verify`, and `rescan` when files were moved")]
    Damaged {
        /// The file.
        file: String,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// The disk did not do what was asked.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why a block cannot be written or made durable. The session is over then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// An earlier call of this session failed.
    #[error("the session failed before: {cause}")]
    Failed {
        /// The first failure, in words.
        cause: String,
    },
    /// A block of another session.
    #[error("block of session {found} in session {expected}")]
    WrongSession {
        /// This session.
        expected: Uuid,
        /// The block's session.
        found: Uuid,
    },
    /// A stream that the session does not have.
    #[error("block of stream {stream}; the session has {streams} streams, numbered from 0")]
    NoSuchStream {
        /// The block's stream.
        stream: u16,
        /// How many there are.
        streams: u16,
    },
    /// A block too many, missing, or out of order.
    #[error("stream {stream}: block {found} where block {expected} is due")]
    OutOfSequence {
        /// The stream.
        stream: u16,
        /// The block that is due.
        expected: u64,
        /// The block that came.
        found: u64,
    },
    /// A block that does not begin where the one before ended.
    #[error("stream {stream}: block {sequence} begins at byte {found}, byte {expected} is due")]
    OutOfPlace {
        /// The stream.
        stream: u16,
        /// The block.
        sequence: u64,
        /// The offset that is due in the stream's raw bytes.
        expected: u64,
        /// The offset in the block's header.
        found: u64,
    },
    /// A payload that is not the one its header describes: damaged on its way.
    #[error("stream {stream}: block {sequence} was damaged on its way: {source}")]
    Damaged {
        /// The stream.
        stream: u16,
        /// The block.
        sequence: u64,
        /// What is wrong.
        source: DecodeError,
    },
    /// Encrypted and plain blocks in one session.
    #[error(
        "stream {stream}: block {sequence} is {}, the session is {}",
        encrypted_word(*found), encrypted_word(!*found)
    )]
    Encryption {
        /// The stream.
        stream: u16,
        /// The block.
        sequence: u64,
        /// Whether the block is encrypted.
        found: bool,
    },
    /// The disk did not do what was asked.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why a session was not committed. There is no restore point of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// A block or the disk failed before.
    #[error("nothing was committed: {0}")]
    Write(#[from] WriteError),
    /// The source counts other blocks than arrived.
    #[error(
        "nothing was committed: stream {stream} has {found} {what} here, its source sent {expected}"
    )]
    StreamDisagrees {
        /// The stream.
        stream: u16,
        /// What was counted: blocks, bytes, stored bytes, or the checksum.
        what: &'static str,
        /// What the source says.
        expected: u64,
        /// What arrived.
        found: u64,
    },
    /// Not one end for each stream.
    #[error("nothing was committed: {found} stream ends for {expected} streams")]
    StreamEnds {
        /// Streams of the session.
        expected: u16,
        /// Ends that were given.
        found: usize,
    },
    /// The facts do not fit into a record.
    #[error("nothing was committed: {0}")]
    Facts(#[from] EncodeError),
    /// The disk failed while the commit was on its way. The restore point is not listed by this
    /// server. After a restart it is either there and whole, or not there.
    #[error("the commit is in doubt: {source}; take the backup again")]
    InDoubt {
        /// What failed.
        source: StorageError,
    },
}

fn encrypted_word(encrypted: bool) -> &'static str {
    if encrypted { "encrypted" } else { "not encrypted" }
}

impl BeginError {
    /// Whether the place is full.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Storage(error) if error.kind == StorageErrorKind::Full)
    }
}

impl WriteError {
    /// Whether the place is full.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Storage(error) if error.kind == StorageErrorKind::Full)
    }
}

impl CommitError {
    /// Whether the place is full.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Write(error) => error.is_full(),
            Self::InDoubt { source } => source.kind == StorageErrorKind::Full,
            _ => false,
        }
    }
}
