//! Database engines that can be backed up through virtual devices: native SQL Server backup files and an embedded engine.

#![forbid(unsafe_code)]

mod engine;
mod error;
mod refusal;
mod request;
pub mod sim;

pub use engine::{DatabaseInfo, DatabaseState, Engine, RecoveryModel};
pub use error::{BackupError, EngineError, RestoreError};
pub use refusal::Refusal;
pub use request::{
    BackupRequest, Progress, ProgressSink, RecoverRequest, Recovery, RestoreRequest, Restored,
    StopAt, StopEdge, StopOutcome, Tail,
};
