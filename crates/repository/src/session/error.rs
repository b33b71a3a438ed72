//! Why a session cannot begin, go on, or be committed.

use vab_format::error::AppendError;
use vab_format::{DecodeError, EncodeError};

use crate::storage::{StorageError, StorageErrorKind};
use crate::with_causes;

/// Why a session cannot begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BeginError {
    /// The repository was opened for reading.
    #[error(
        "the repository is open read-only: a backup needs the server that has it open for writing"
    )]
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
    /// Encrypted blocks need key slots in the file, and others must not have them.
    #[error(
        "{}",
        if *.encrypted {
            "an encrypted session needs the key slots of its file: begin it with them"
        } else {
            "key slots were given for a session that is not encrypted"
        }
    )]
    Keys {
        /// Whether the session is encrypted.
        encrypted: bool,
    },
    /// The key slots that were given are not well formed.
    #[error("the key slots cannot be used: {0}")]
    KeyArea(#[from] DecodeError),
    /// A name does not fit into the header of a file.
    #[error("no file can be begun: {0}")]
    Header(#[from] EncodeError),
    /// The disk did not do what was asked.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why a session cannot be taken up again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TakeUpError {
    /// The repository was opened for reading.
    #[error("the repository is open read-only: only the server that has it can take sessions up")]
    ReadOnly,
    /// Nothing is kept of such a session: it was given up, committed, or never began, or it
    /// belongs to somebody with another key.
    #[error("session {session} is not kept: run the backup again")]
    Unknown {
        /// What was asked for.
        session: vab_chain::PointId,
    },
    /// What was durable of it is not there as it was. It is given up.
    #[error(
        "what was written of session {session} cannot be read back ({source}): run the backup again"
    )]
    Damaged {
        /// What was asked for.
        session: vab_chain::PointId,
        /// What is wrong.
        source: crate::container::ReadError,
    },
    /// What there is of it may not be on the disk. It is given up, and its file is not trusted
    /// again.
    #[error(
        "what was written of session {session} may not be on the disk ({source}): run the backup \
         again"
    )]
    NotDurable {
        /// What was asked for.
        session: vab_chain::PointId,
        /// What failed.
        source: StorageError,
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
    /// A block that is not the one that is due, or was damaged on its way. Nothing was written,
    /// and the session can go on with the right one.
    #[error("stream {stream}: block {sequence} is refused: {source}")]
    Refused {
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
    /// The source counts other blocks or bytes than arrived, or says what does not fit into a
    /// record.
    #[error("nothing was committed: {}", with_causes(.0))]
    Refused(#[from] AppendError),
    /// The disk failed while the commit was on its way. The restore point is not listed by this
    /// server. After a restart it is either there and whole, or not there.
    #[error("the commit is in doubt: {source}; take the backup again")]
    InDoubt {
        /// What failed.
        source: StorageError,
    },
}

fn encrypted_word(encrypted: bool) -> &'static str {
    if encrypted {
        "encrypted"
    } else {
        "not encrypted"
    }
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
