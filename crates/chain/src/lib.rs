//! Restore points of SQL Server databases, and the rules that decide what can be restored.
//!
//! Everything here is a pure function of values: no IO, no clock, no runtime. LSNs and recovery
//! forks decide, never file names or the order in which files were found.

#![forbid(unsafe_code)]

mod ids;
mod lsn;
mod point;
mod rollover;
mod set;
mod time;

pub use ids::{BackupSetId, DatabaseId, FamilyId, ForkId, PointId};
pub use lsn::{Lsn, ParseLsnError};
pub use point::RestorePoint;
pub use rollover::{
    CurrentFile, FILE_OPEN_FOR, FileDecision, FileSettings, NewFileReason, next_file,
};
pub use set::{BackupKind, BackupSet, DifferentialBase, SetFlags};
pub use time::{ParseTimeError, ServerTime, UtcTime};
