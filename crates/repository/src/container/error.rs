//! Why something in a repository cannot be read.

use vab_chain::PointId;
use vab_format::DecodeError;

use crate::storage::{StorageError, StoragePath};

/// Why something in a repository cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// There is no such restore point.
    #[error("there is no restore point {point} in this repository")]
    NoSuchPoint {
        /// What was looked for.
        point: PointId,
    },
    /// The restore point has no such block.
    #[error("restore point {point} has no block {sequence} of stream {stream}")]
    NoSuchBlock {
        /// The restore point.
        point: PointId,
        /// The stream.
        stream: u16,
        /// The block.
        sequence: u64,
    },
    /// A file is damaged, or is not what its name says.
    #[error("`{file}` at byte {offset}: {source}")]
    Damaged {
        /// The file.
        file: StoragePath,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        source: DecodeError,
    },
    /// A block or commit of another restore point than the one that is due.
    #[error("`{file}` at byte {offset} belongs to session {found}, not to {expected}")]
    AnotherSession {
        /// The file.
        file: StoragePath,
        /// Where in it.
        offset: u64,
        /// The session that is due.
        expected: uuid::Uuid,
        /// The session found.
        found: uuid::Uuid,
    },
    /// The disk did not do what was asked.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl ReadError {
    /// Whether bytes were read and are wrong, in contrast to bytes that could not be read.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::AnotherSession { .. })
    }
}
