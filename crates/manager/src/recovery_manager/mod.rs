//! The recovery manager: beside the database. It opens virtual devices, tells the engine to back
//! up or restore, and runs the source mover.

mod backup;
mod device_set;
mod ends;
mod existing;
mod export;
mod give;
mod import;
mod look;
mod manner;
mod marks;
mod restore;
mod restore_record;
mod slots;
mod tail;
mod take;

use vab_mover::Source;
use vab_vdi::memory::Hub;

pub use backup::{BackupError, DatabaseBackup};
pub use device_set::DeviceSetError;
pub use existing::ExistingDatabase;
pub use export::{Export, ExportError};
pub use give::GiveError;
pub use import::{Import, ImportError, ImportReport, Imported};
pub use look::{LookAt, LookError};
pub use manner::{Checksums, Manner};
pub use restore::{Restore, RestoreError, RestoreReport, RestoreTarget};
pub use restore_record::{RestoreOutcome, RestoreRecord, RestoredStep};
pub use slots::StreamSlots;
pub use tail::TailError;
pub use take::TakeError;

use crate::catalog::Catalog;
use crate::server;

/// Takes backups of an engine's databases and sends them to a backup manager.
#[derive(Clone, Debug)]
pub struct RecoveryManager {
    source: Source,
    hub: Hub,
}

impl RecoveryManager {
    /// Connects to the backup manager at `address` (`host:port`), without TLS.
    ///
    /// # Errors
    /// When nobody of ours answers there.
    pub async fn connect(address: &str) -> Result<Self, server::ConnectError> {
        Self::connect_with(address, &server::ConnectOptions::default()).await
    }

    /// Connects to the backup manager at `address` (`host:port`).
    ///
    /// # Errors
    /// When nobody of ours answers there, or the two do not trust each other.
    pub async fn connect_with(
        address: &str,
        options: &server::ConnectOptions,
    ) -> Result<Self, server::ConnectError> {
        Ok(Self {
            source: server::connect(address, options).await?,
            hub: Hub::new(),
        })
    }

    /// The restore points of the backup manager it is connected to.
    pub fn catalog(&self) -> Catalog {
        Catalog::over(self.source.clone())
    }
}
