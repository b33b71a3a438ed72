//! The two roles of the system: the [`RecoveryManager`] beside the database, and the
//! [`BackupManager`] beside the repository.
//!
//! ```
//! use std::sync::Arc;
//! use vab_manager::engine::{RecoveryModel, sim};
//! use vab_manager::{BackupKind, BackupManager, Catalog, Clock, DatabaseBackup, Filter};
//! use vab_manager::{Observer, RecoveryManager, ServeOptions, ServerTime, SystemClock};
//!
//! # #[tokio::main(flavor = "multi_thread", worker_threads = 2)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! // Beside the repository:
//! let manager = BackupManager::open(folder.path(), Arc::new(SystemClock))?;
//! let serving = manager.listen("127.0.0.1:0".parse()?, ServeOptions::default()).await?;
//! let address = serving.address().to_string();
//! tokio::spawn(serving.until(std::future::pending()));
//!
//! // Beside the database:
//! let clock = || ServerTime::from_micros(SystemClock.now().as_micros());
//! let engine = Arc::new(sim::Instance::memory(sim::Options::new(clock)));
//! engine.create_database("Sales", RecoveryModel::Full)?.put(1, b"first order")?;
//! let recovery = RecoveryManager::connect(&address).await?;
//! let backup = DatabaseBackup::new("Nightly", "Sales", BackupKind::Full);
//! let point = recovery.backup(engine, &backup, &Observer::default()).await?;
//!
//! let catalog = Catalog::server(&address).await?;
//! assert_eq!(catalog.points(&Filter::default()).await?, [point]);
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod backup_manager;
mod catalog;
#[cfg(feature = "tls")]
pub mod certificates;
mod clock;
mod engines;
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "encrypt")]
pub mod keys;
pub mod listing;
mod message;
mod observer;
mod point;
mod recovery_manager;
mod rescan;
mod retention;
pub mod run;
mod salvage;
mod server;
mod verification;

pub use backup_manager::{BackupManager, ServeOptions, Serving};
pub use catalog::{Catalog, CatalogError, Filter, FolderError, ServerError};
pub use clock::{Clock, SystemClock};
pub use engines::{EngineAddress, EngineAddressError};
pub use listing::Row;
pub use message::MessageError;
pub use observer::{Happening, Observer};
pub use point::PointInfo;
pub use recovery_manager::{
    BackupError, Checksums, DatabaseBackup, DeviceSetError, ExistingDatabase, Export, ExportError,
    GiveError, Import, ImportError, ImportReport, Imported, LookAt, LookError, Manner,
    RecoveryManager, Restore, RestoreError, RestoreOutcome, RestoreRecord, RestoreReport,
    RestoreTarget, RestoredStep, StreamSlots, TailError, TakeError,
};
pub use rescan::{RescanFailed, rescan};
pub use retention::{
    ChainVerdict, FileVerdict, JobRetention, RetentionError, RetentionReport, retention,
};
pub use run::{BackupRun, RunError, RunOutcome, RunReport};
pub use salvage::salvage;
pub use server::{AskError, ConnectError, ConnectOptions};
pub use vab_repository::verify::VerifyOptions;
pub use verification::{Verification, VerifiedFile, VerifiedPoint, VerifyError, verify};

// What the signatures above are made of.
pub use vab_chain as chain;
pub use vab_chain::{BackupKind, BackupSet, Plan, PointId, ServerTime, UtcTime};
pub use vab_engine as engine;
#[cfg(feature = "encrypt")]
pub use vab_format::crypto::Secret;
pub use vab_mover::security;
pub use vab_mover::source::{KeyError, Security as ClientSecurity};
pub use vab_mover::target::{Desk, Security as ServerSecurity, SessionInfo};
pub use vab_mover::{Compression, Encoding, Encryption, Rate, Secrets, Throttle};
pub use vab_repository as repository;
pub use vab_repository::with_causes;
pub use vab_vdi::Geometry;

/// The examples of the project's front page are compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct FrontPage;
