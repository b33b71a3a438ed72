//! Why a repository cannot be opened.

use super::Owner;
use crate::storage::StorageError;

/// Why a repository cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no such folder.
    #[error(
        "there is no repository at `{location}`: create the folder, or check the path and that the volume is mounted"
    )]
    Missing {
        /// Where it should be.
        location: String,
    },
    /// The folder holds something else.
    #[error(
        "`{location}` is not a repository and not empty (it holds `{found}`): \
         give an empty folder or the folder of a repository"
    )]
    Foreign {
        /// The folder.
        location: String,
        /// One of the names found there.
        found: String,
    },
    /// Another server has it.
    #[error(
        "the repository at `{location}` is in use by {}: stop that server, or open the repository read-only",
        owner.as_ref().map_or_else(|| "another server".to_owned(), ToString::to_string)
    )]
    InUse {
        /// The repository.
        location: String,
        /// Who has it, as far as that can be told.
        owner: Option<Owner>,
    },
    /// A later version made it.
    #[error(
        "the repository at `{location}` has layout version {found}; this program knows versions \
         up to {supported}: use a newer version of it"
    )]
    Newer {
        /// The repository.
        location: String,
        /// Its version.
        found: u32,
        /// The greatest version that is known.
        supported: u32,
    },
    /// The account may read but not write.
    #[error("the repository at `{location}` cannot be written; open it read-only, or: {source}")]
    NotWritable {
        /// The repository.
        location: String,
        /// What failed.
        source: StorageError,
    },
    /// The disk did not do what was asked.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
