//! Restore points of SQL Server databases, and the rules that decide what can be restored.
//!
//! Everything here is a pure function of values: no IO, no clock, no runtime. LSNs and recovery
//! forks decide, never file names or the order in which files were found.

#![forbid(unsafe_code)]

mod catalog;
mod chain;
mod guard;
mod ids;
mod lsn;
mod plan;
mod point;
pub mod render;
mod retention;
mod rollover;
mod set;
mod time;

pub use catalog::Catalog;
pub use chain::{
    BaseProblem, Chain, ChainBuilder, ForkReach, Gap, Interval, PointFacts, PointState, Reachable,
    Recovery, Unusable,
};
pub use guard::{ChainBreak, EngineState, NextBackup, OnBrokenChain, RecoveryModel};
pub use ids::{BackupSetId, DatabaseId, FamilyId, ForkId, PointId};
pub use lsn::{Lsn, ParseLsnError};
pub use plan::{
    Near, Note, Plan, PlanOptions, Reaches, Standing, Step, StopAt, Target, Then, Unreachable,
    UnreachableCause,
};
pub use point::RestorePoint;
pub use retention::{
    ChainFate, FileFate, Gfs, KeepReason, Period, RemoveReason, Retention, RetentionPolicy, Stored,
    Verdict,
};
pub use rollover::{
    CurrentFile, FILE_OPEN_FOR, FileDecision, FileSettings, NewFileReason, next_file,
};
pub use set::{BackupKind, BackupSet, DifferentialBase, Mark, SetFlags};
pub use time::{ParseTimeError, ServerTime, UtcTime};
