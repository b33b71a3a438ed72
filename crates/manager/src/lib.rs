//! The two roles of the system: the [`RecoveryManager`] beside the database, and the
//! [`BackupManager`] beside the repository.

#![forbid(unsafe_code)]

mod backup_manager;
mod catalog;
mod clock;
mod engines;
pub mod listing;
mod message;
mod observer;
mod point;
mod recovery_manager;
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
    BackupError, DatabaseBackup, DeviceSetError, Export, ExportError, GiveError, Import,
    ImportError, ImportReport, Imported, RecoveryManager, Restore, RestoreError, RestoreReport,
    RestoreTarget, TakeError,
};
pub use server::{AskError, ConnectError};
pub use vab_repository::verify::VerifyOptions;
pub use verification::{Verification, VerifiedFile, VerifiedPoint, VerifyError, verify};

// What the signatures above are made of.
pub use vab_chain::{BackupKind, BackupSet, Plan, PointId, ServerTime, UtcTime};
pub use vab_engine as engine;
pub use vab_repository as repository;
