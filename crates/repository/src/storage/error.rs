//! Why the disk did not do what was asked.

use std::fmt;
use std::io;

/// A call to the disk that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[error("cannot {action} `{path}`: {kind}{}", kind.advice())]
pub struct StorageError {
    /// What was tried.
    pub action: Action,
    /// The whole path, as a person would look for it.
    pub path: String,
    /// What kind of failure it was.
    pub kind: StorageErrorKind,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

impl StorageError {
    /// The failure of a call that the system answered with `source`; for a storage of your own.
    pub fn new(action: Action, path: impl Into<String>, source: io::Error) -> Self {
        let kind = StorageErrorKind::of(&source);
        Self {
            action,
            path: path.into(),
            kind,
            source,
        }
    }
}

impl StorageError {
    /// Whether a file that is read as a whole was longer than it may be.
    pub(crate) const fn is_too_long(&self) -> bool {
        matches!(self.kind, StorageErrorKind::TooLong { .. })
    }
}

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// List a folder.
    List,
    /// Create a file or folder.
    Create,
    /// Open a file.
    Open,
    /// Read.
    Read,
    /// Write.
    Write,
    /// Make durable.
    Sync,
    /// Put a new version in place.
    Replace,
    /// Cut.
    Truncate,
    /// Remove.
    Remove,
    /// Lock.
    Lock,
    /// Ask for a length or for free space.
    Inquire,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::List => "list",
            Self::Create => "create",
            Self::Open => "open",
            Self::Read => "read",
            Self::Write => "write to",
            Self::Sync => "make durable",
            Self::Replace => "replace",
            Self::Truncate => "shorten",
            Self::Remove => "remove",
            Self::Lock => "lock",
            Self::Inquire => "ask about",
        })
    }
}

/// A kind of failure that a caller or a user can act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StorageErrorKind {
    /// There is no such file or folder.
    Missing,
    /// It is there already.
    Exists,
    /// This account may not.
    Denied,
    /// The file system is read-only.
    ReadOnly,
    /// No space, or over a quota.
    Full,
    /// Longer than what is read of such a file.
    TooLong {
        /// The limit in bytes.
        limit: u64,
    },
    /// The file ends before the bytes that were asked for.
    Short,
    /// Another server has taken the repository over.
    TakenOver,
    /// Anything else, mostly a failing device.
    Failed,
}

impl StorageErrorKind {
    fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Missing,
            io::ErrorKind::AlreadyExists => Self::Exists,
            io::ErrorKind::PermissionDenied => Self::Denied,
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::Full,
            io::ErrorKind::UnexpectedEof => Self::Short,
            _ => Self::Failed,
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::Missing => "; check that the path is right and the volume is mounted",
            Self::Exists => "; another program may use this folder",
            Self::Denied => "; give this account the right to read and write there",
            Self::ReadOnly => "; mount it for writing, or open the repository read-only",
            Self::Full => "; free or add space, then run the backup again",
            Self::TooLong { .. } => "; it is not a file of this repository or it is damaged",
            Self::Short => "; the file was cut off",
            Self::TakenOver => "; stop one of the two, then start the other again",
            Self::Failed => "; check the device and the system log",
        }
    }
}

impl fmt::Display for StorageErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("it is not there"),
            Self::Exists => f.write_str("it is there already"),
            Self::Denied => f.write_str("permission denied"),
            Self::ReadOnly => f.write_str("the file system is read-only"),
            Self::Full => f.write_str("no space left"),
            Self::TooLong { limit } => write!(f, "it is longer than {limit} bytes"),
            Self::Short => f.write_str("it ends too early"),
            Self::TakenOver => f.write_str("another server has taken the repository over"),
            Self::Failed => f.write_str("the system reports an error"),
        }
    }
}
