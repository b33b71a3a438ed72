//! Database engines that can be backed up through virtual devices: native SQL Server backup files and an embedded engine.

#![forbid(unsafe_code)]

pub mod bak;
mod engine;
mod error;
pub mod mtf;
mod refusal;
mod request;

pub use engine::{DatabaseInfo, DatabaseState, Engine, RecoveryModel};
pub use error::{BackupError, EngineError, RestoreError};
pub use refusal::Refusal;
pub use request::{
    BackupRequest, Progress, ProgressSink, RecoverRequest, Recovery, RestoreRequest, Restored,
    StopAt, StopEdge, StopOutcome, Tail,
};
