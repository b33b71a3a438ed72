//! The source mover: carries the streams of virtual devices to a target, and back.

mod backup;
mod backup_driver;
mod board;
mod busy;
mod dial;
mod error;
mod feed;
mod options;
mod progress;
mod query;
mod restore;
mod restore_driver;
mod save;
mod threads;

use std::sync::Arc;

pub use backup::{BackupSession, Streamed};
pub use error::{BackupError, CommitError, ConnectError, QueryError, RestoreError, StreamError};
pub use options::{Security, SourceOptions};
pub use progress::Progress;
pub use restore::{RestoreSession, Restored};

use dial::Dialer;

/// A target mover that was reached once. Every query, backup and restore opens a connection of
/// its own.
#[derive(Clone, Debug)]
pub struct Source {
    dialer: Arc<Dialer>,
}

impl Source {
    /// Makes sure that a target mover of a common protocol version answers at `address`
    /// (`host:port`).
    ///
    /// # Errors
    /// [`ConnectError`] if nobody answers there, or somebody else.
    pub async fn connect(
        address: impl Into<String>,
        options: SourceOptions,
    ) -> Result<Self, ConnectError> {
        let dialer = Arc::new(Dialer {
            address: address.into(),
            options,
        });
        dialer.dial().await?;
        Ok(Self { dialer })
    }

    /// The address it was connected with.
    pub fn address(&self) -> &str {
        &self.dialer.address
    }

    /// Asks the target's store a question of the manager, of at most 64 KiB.
    ///
    /// # Errors
    /// [`QueryError`]; [`QueryError::Refused`] with the store's own words.
    pub async fn query(&self, request: impl Into<Vec<u8>>) -> Result<Vec<u8>, QueryError> {
        query::query(&self.dialer, request.into()).await
    }

    /// Begins a backup of `streams` streams, 1 to 64. `request`: at most 64 KiB of the manager.
    /// A target that is busy is asked again for [`SourceOptions::busy_limit`].
    ///
    /// # Errors
    /// [`BackupError`]; [`BackupError::Failed`] with the store's refusal.
    pub async fn begin_backup(
        &self,
        request: impl Into<Vec<u8>>,
        streams: u16,
    ) -> Result<BackupSession, BackupError> {
        busy::ask(self.dialer.options.busy_limit, request.into(), |request| {
            BackupSession::begin(Arc::clone(&self.dialer), request, streams)
        })
        .await
    }

    /// Opens a committed session for a restore. `request`: at most 64 KiB of the manager.
    ///
    /// # Errors
    /// [`RestoreError`]; [`RestoreError::Failed`] with the store's refusal.
    pub async fn open_restore(
        &self,
        request: impl Into<Vec<u8>>,
    ) -> Result<RestoreSession, RestoreError> {
        RestoreSession::open(Arc::clone(&self.dialer), request.into()).await
    }
}
