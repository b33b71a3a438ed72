//! The library as a transport.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::account::Accounts;
use super::set::LinuxSet;
use super::symbols::Symbols;
use crate::client::{CreatedSet, Transport};
use crate::config::SetConfig;
use crate::error::CreateError;

/// SQL Server's library, loaded.
#[derive(Debug, Clone)]
pub struct Library {
    symbols: Arc<Symbols>,
    check_account: bool,
}

/// Why the library cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The library, or something it needs, is not there.
    #[error(
        "{path} could not be loaded ({reason}); it comes with SQL Server, and LD_LIBRARY_PATH must lead to the server's other libraries (/opt/mssql/lib)",
        path = path.display()
    )]
    NotLoaded {
        /// Where it was looked for.
        path: PathBuf,
        /// The loader's message.
        reason: String,
    },
    /// It is not the library that is meant, or of a version that is not known.
    #[error(
        "{path} lacks {count} of the entry points that are needed: {list}",
        path = path.display(), count = missing.len(), list = missing.join(", ")
    )]
    Incomplete {
        /// The library.
        path: PathBuf,
        /// The mangled names that were not found.
        missing: Vec<&'static str>,
    },
}

impl Library {
    /// Where SQL Server puts the library.
    pub const DEFAULT_PATH: &'static str = "/opt/mssql/lib/libsqlvdi.so";

    /// Loads the library from [`DEFAULT_PATH`](Self::DEFAULT_PATH).
    ///
    /// # Errors
    /// When it is not there or is another one.
    pub fn load() -> Result<Self, LoadError> {
        // SAFETY: the file at this path is put there by SQL Server's installation; whoever can
        // put another one there owns the machine.
        unsafe { Self::load_from(Self::DEFAULT_PATH) }
    }

    /// Loads the library from elsewhere.
    ///
    /// # Safety
    /// The file is SQL Server's library, or one whose entry points keep the same contracts.
    /// Loading runs its code.
    ///
    /// # Errors
    /// When it is not there or is another one.
    pub unsafe fn load_from(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        Ok(Self {
            symbols: Arc::new(Symbols::load(path.as_ref())?),
            check_account: true,
        })
    }

    /// Does not check accounts and umask before a set is created: for a server whose account is
    /// arranged in another way.
    #[must_use]
    pub fn without_account_check(mut self) -> Self {
        self.check_account = false;
        self
    }
}

impl Transport for Library {
    fn create(&self, config: SetConfig) -> Result<CreatedSet, CreateError> {
        if self.check_account
            && let Some(accounts) = Accounts::gather()
        {
            accounts.check().map_err(|error| CreateError::Unavailable {
                reason: error.to_string(),
            })?;
        }
        let link = LinuxSet::create(Arc::clone(&self.symbols), &config)?;
        Ok(CreatedSet::new(config, Box::new(link)))
    }
}
