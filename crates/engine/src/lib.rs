//! Database engines that can be backed up through virtual devices.
//!
//! [`Engine`] is what a backup program sees of a database server. [`sim`] is an embedded server
//! that behaves as SQL Server does where backups look: recovery models, LSNs, differential bases,
//! log chains, recovery forks, and the server's own refusals with their numbers.
//!
//! ```
//! use vab_chain::{BackupKind, ServerTime};
//! use vab_engine::{BackupRequest, RecoveryModel, Recovery, RestoreRequest, sim};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = sim::Instance::memory(sim::Options::new(|| ServerTime::from_micros(0)));
//! let sales = server.create_database("Sales", RecoveryModel::Full)?;
//! sales.put(1, b"first order")?;
//! let mut stripes = vec![Vec::new(); 4];
//! let set = server.backup_to(&BackupRequest::new("Sales", BackupKind::Full, vec![]), &mut stripes)?;
//! let mut restore = RestoreRequest::new("Copy", set.kind, vec![]);
//! restore.recovery = Recovery::Recovery;
//! server.restore_from(&restore, stripes.iter().map(Vec::as_slice))?;
//! assert_eq!(server.database("Copy")?.digest()?, sales.digest()?);
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

pub mod bak;
mod cancel;
mod class;
mod engine;
mod error;
mod legal;
mod look;
#[cfg(feature = "mssql")]
pub mod mssql;
pub mod mtf;
mod placement;
mod refusal;
mod request;
pub mod sim;
mod standing;
mod watch;

pub use cancel::Cancel;
pub use class::ErrorClass;
pub use engine::{DatabaseInfo, DatabaseState, Engine, RecoveryModel, Replica};
pub use error::{BackupError, EngineError, RestoreError};
pub use legal::{Illegal, LegalKind};
pub use look::{Look, LookRequest, Looked};
pub use placement::Placement;
pub use refusal::Refusal;
pub use request::{
    BackupRequest, FileMove, FilesRequest, Progress, ProgressSink, RecoverRequest, Recovery,
    RestoreRequest, Restored, StopAt, StopEdge, StopOutcome, Tail,
};
pub use watch::{BackupWatch, Disagreement, StreamTap, Watched};
