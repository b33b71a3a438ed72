//! A SQL Server as an engine.

mod backup;
mod link;
mod look;
mod restore;

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use vab_chain::{BackupSet, Lsn, Mark};
use vab_vdi::{EngineTransport, Transport};

use self::link::Link;
use super::address::{Address, Encryption, Trust};
use super::after::{self, StreamWatch};
use super::before::{self, Identity};
use super::connection::{Connect, Driver, Login};
use super::devices;
use crate::engine::{DatabaseInfo, Engine};
use crate::error::{BackupError, EngineError, RestoreError};
use crate::look::{LookRequest, Looked};
use crate::refusal::Refusal;
use crate::request::{
    BackupRequest, FileMove, FilesRequest, RecoverRequest, RestoreRequest, Restored,
};
use crate::watch::BackupWatch;

/// How a server is told to back up and restore, beyond what a request says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// `BUFFERCOUNT`: the buffers of a device set, each of the greatest transfer's size; `None`
    /// leaves it to the server.
    pub buffers: Option<NonZeroU32>,
    /// `COMPRESSION` or `NO_COMPRESSION`. Without it `NO_COMPRESSION` is said: what is compressed
    /// once does not get smaller, and its facts cannot be checked.
    pub compression: bool,
    /// `STATS`: how often the server tells how far it is, in percent of 1 to 100; 5 without it.
    pub stats: Option<u8>,
    /// `KEEP_CDC`, with the restore that recovers the database.
    pub keep_cdc: bool,
    /// `KEEP_REPLICATION`, with the restore that recovers the database.
    pub keep_replication: bool,
}

/// A SQL Server.
///
/// Every call opens a connection of its own, so that a backup without a time limit keeps nobody
/// waiting, and closes it at its end.
pub struct Server {
    address: Address,
    connect: Arc<dyn Connect>,
    options: Options,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Logs in to a server with the password of the environment variable `VAB_MSSQL_PASSWORD`, and
    /// checks that the login may use virtual devices.
    ///
    /// # Errors
    /// When the server cannot be reached, does not let the login in, or the login is not in the
    /// server's role `sysadmin`.
    pub fn open(address: &Address) -> Result<Self, EngineError> {
        let login = Login::from_environment(address)?;
        warn_of(address);
        let server = Self::new(address.clone(), login);
        server.identity()?;
        Ok(server)
    }

    /// A server that nobody has asked anything yet.
    pub fn new(address: Address, login: Login) -> Self {
        let driver = Driver::new(address.clone(), login);
        Self::over(address, Arc::new(driver))
    }

    /// A server behind another driver.
    pub fn over(address: Address, connect: Arc<dyn Connect>) -> Self {
        Self {
            address,
            connect,
            options: Options::default(),
        }
    }

    /// Says how backups and restores are to be made.
    #[must_use]
    pub fn with_options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// What the server says of itself and of the login.
    ///
    /// # Errors
    /// When it cannot be asked, or the login is not in the role `sysadmin`.
    pub fn identity(&self) -> Result<Identity, EngineError> {
        self.link()?.identity()
    }

    /// How often progress is told, in percent.
    fn stats(&self) -> u8 {
        self.options.stats.unwrap_or(5)
    }

    fn link(&self) -> Result<Link, EngineError> {
        Ok(Link::new(self.connect.connect()?))
    }
}

impl Engine for Server {
    fn databases(&self) -> Result<Vec<DatabaseInfo>, EngineError> {
        let rows = self.link()?.ask(&before::databases(None))?;
        let databases: Result<_, _> = rows.iter().map(before::of_row).collect();
        Ok(databases?)
    }

    fn marks(&self, database: &str) -> Result<Vec<Mark>, EngineError> {
        let rows = self
            .link()?
            .ask(&after::marks(database, Lsn::ZERO, Lsn::MAX))?;
        let marks: Result<_, _> = rows.iter().map(after::mark_of_row).collect();
        Ok(marks?)
    }

    fn devices(&self) -> Result<Option<Arc<dyn Transport>>, EngineError> {
        devices::transport(&self.address).map(Some)
    }

    fn looks_at_files(&self) -> bool {
        true
    }

    fn file_moves(
        &self,
        request: &FilesRequest,
        _: &dyn EngineTransport,
    ) -> Result<Vec<FileMove>, RestoreError> {
        Ok(restore::file_moves(self, request)?)
    }

    fn backup(
        &self,
        request: &BackupRequest,
        _: &dyn EngineTransport,
    ) -> Result<BackupSet, BackupError> {
        Ok(backup::backup(self, request)?)
    }

    fn look(&self, request: &LookRequest, _: &dyn EngineTransport) -> Result<Looked, RestoreError> {
        Ok(look::look(self, request)?)
    }

    fn watch(&self, streams: usize) -> Option<Box<dyn BackupWatch>> {
        Some(Box::new(StreamWatch::new(streams)))
    }

    fn restore(
        &self,
        request: &RestoreRequest,
        _: &dyn EngineTransport,
    ) -> Result<Restored, RestoreError> {
        Ok(restore::restore(self, request)?)
    }

    fn recover(&self, request: &RecoverRequest) -> Result<Restored, RestoreError> {
        Ok(restore::recover(self, request)?)
    }
}

/// What somebody on the way could do, said once.
fn warn_of(address: &Address) {
    if address.encryption == Encryption::Off {
        tracing::warn!("nothing on the way to {address} is encrypted, not even the password");
    } else if address.trust == Trust::Any {
        tracing::warn!("whoever answers as {address} is believed to be it");
    }
}

fn no_such(database: &str) -> EngineError {
    Refusal::NoSuchDatabase {
        database: database.to_owned(),
    }
    .into()
}
