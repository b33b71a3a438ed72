//! The source mover: carries the streams of virtual devices to a target, and back.

mod backup;
mod backup_driver;
mod board;
mod budget;
mod busy;
mod coders;
mod content;
mod dial;
mod encoding;
mod error;
mod feed;
mod gauge;
mod keys;
mod lane;
mod lent;
mod memory;
mod offer;
mod options;
mod progress;
mod query;
mod restore;
mod restore_driver;
mod save;
mod sealable;
mod tap;
mod threads;

use std::sync::Arc;

pub use backup::{BackupSession, Streamed};
pub use encoding::Encoding;
pub use error::{BackupError, CommitError, ConnectError, QueryError, RestoreError, StreamError};
pub use keys::{Encryption, KeyError, Secrets};
pub use options::{Security, SourceOptions};
pub use progress::Progress;
pub use restore::{RestoreSession, Restored};
pub use tap::Tap;

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
        self.begin_backup_with(request, streams, &Encoding::default())
            .await
    }

    /// The same, with blocks that are compressed or encrypted here, before they travel.
    ///
    /// An encrypted session that goes into a file that is there is encrypted with that file's key:
    /// one of the secrets must open it. The target sees neither keys nor plaintext.
    ///
    /// # Errors
    /// [`BackupError`]; [`BackupError::Key`] if the file in force does not open with these secrets,
    /// or the target would not keep to what was asked. Nothing is left at the target then.
    pub async fn begin_backup_with(
        &self,
        request: impl Into<Vec<u8>>,
        streams: u16,
        encoding: &Encoding,
    ) -> Result<BackupSession, BackupError> {
        busy::ask(self.dialer.options.busy_limit, request.into(), |request| {
            // On the heap: callers hold it within futures of their own.
            Box::pin(BackupSession::begin(
                Arc::clone(&self.dialer),
                request,
                streams,
                encoding,
            ))
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
        self.open_restore_with(request, &Secrets::default()).await
    }

    /// The same, of a session that may be encrypted: one of `secrets` must open it then.
    ///
    /// # Errors
    /// [`RestoreError`]; [`RestoreError::Key`] if it does not open.
    pub async fn open_restore_with(
        &self,
        request: impl Into<Vec<u8>>,
        secrets: &Secrets,
    ) -> Result<RestoreSession, RestoreError> {
        let dialer = Arc::clone(&self.dialer);
        Box::pin(RestoreSession::open(dialer, request.into(), secrets)).await
    }
}
