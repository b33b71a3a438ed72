//! The backup manager: beside the repository. It keeps jobs and restore points, and runs the
//! target mover.

mod answer;
mod lease;
mod options;
mod refusal;
mod store;

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;
use vab_mover::target::{self, BindError, Desk, ServeError, TargetOptions};
use vab_repository::{OpenError, Repository, RepositoryOptions};

use crate::clock::Clock;
pub use options::ServeOptions;
pub(crate) use store::RepositoryStore;

/// A repository and the target mover that serves it.
#[derive(Debug)]
pub struct BackupManager {
    store: Arc<RepositoryStore>,
}

impl BackupManager {
    /// Opens the repository in `folder`, or makes one of an empty or missing folder.
    ///
    /// # Errors
    /// When another server has it, or it cannot be written, or it is not a repository.
    pub fn open(folder: &Path, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        Self::open_with(folder, RepositoryOptions::default(), clock)
    }

    /// [`BackupManager::open`] with other options than the defaults.
    ///
    /// # Errors
    /// As [`BackupManager::open`].
    pub fn open_with(
        folder: &Path,
        options: RepositoryOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let repository = Repository::open(folder, options, clock.now())?;
        Ok(Self {
            store: Arc::new(RepositoryStore::new(Arc::new(repository), clock)),
        })
    }

    /// Opens the listener.
    ///
    /// # Errors
    /// When the address is in use, or would need [`ServeOptions::allow_plain_network`].
    pub async fn listen(
        self,
        address: SocketAddr,
        options: ServeOptions,
    ) -> Result<Serving, BindError> {
        let options = options.for_target();
        let listener = target::bind(address, options.exposure).await?;
        let address = listener.local_addr().unwrap_or(address);
        self.store.serve_slots(options.slots.clone());
        Ok(Serving {
            listener,
            address,
            store: self.store,
            options,
        })
    }
}

/// A backup manager that listens. Nothing is answered before [`Serving::until`] runs.
#[derive(Debug)]
pub struct Serving {
    listener: TcpListener,
    address: SocketAddr,
    store: Arc<RepositoryStore>,
    options: TargetOptions,
}

impl Serving {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its backup sessions can be seen and ended.
    pub fn desk(&self) -> Desk {
        self.options.desk.clone()
    }

    /// Serves until `shutdown` is done, then finishes or aborts what runs.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn until(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), ServeError> {
        let lease = lease::keep(Arc::clone(&self.store));
        let served = target::serve(self.listener, self.store, self.options, shutdown).await;
        lease.abort();
        served
    }
}
