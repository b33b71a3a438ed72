//! Why nothing could be saved.

use crate::storage::StorageError;
use crate::{OpenError, RescanError};

/// Why nothing could be saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SalvageError {
    /// The damaged file cannot be read.
    #[error("`{file}` cannot be read: {source}")]
    Read {
        /// The file.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Neither a header, nor metadata beside it, nor a single record.
    #[error("nothing in `{file}` is of a .VAB: check that it is the right file")]
    NotAVab {
        /// The file.
        file: String,
    },
    /// The new folder cannot be made.
    #[error("the folder `{folder}` cannot be created: {source}")]
    Target {
        /// The folder.
        folder: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something is in the folder.
    #[error(
        "`{folder}` is not empty: what is saved goes to a new folder, so that nothing is mixed up"
    )]
    NotEmpty {
        /// The folder.
        folder: String,
    },
    /// The folder cannot be made a repository.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The new file cannot be written.
    #[error("what is saved cannot be written: {0}")]
    Write(#[source] vab_format::io::WriteError),
    /// The new file cannot be listed.
    #[error(transparent)]
    List(#[from] RescanError),
    /// The new repository cannot be written.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
