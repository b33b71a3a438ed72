//! Makes the metadata of a repository anew.

use std::path::Path;

use vab_repository::{
    OpenError, Repository, RepositoryOptions, RescanError, RescanOptions, RescanReport,
};

use crate::clock::{Clock, SystemClock};

/// Why a repository was not rescanned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RescanFailed {
    /// There is no repository, or a server has it.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The rescan itself failed. What was known before stays.
    #[error(transparent)]
    Rescan(#[from] RescanError),
}

/// Reads all folders of the repository in `folder` again and makes lost metadata anew.
///
/// # Errors
/// When there is no repository, a server has it, or it cannot be written.
pub fn rescan(folder: &Path, options: RescanOptions) -> Result<RescanReport, RescanFailed> {
    let repository = Repository::open(folder, RepositoryOptions::default(), SystemClock.now())?;
    Ok(repository.rescan(options)?)
}
