//! Restore points of SQL Server databases, and the rules that decide what can be restored.
//!
//! Everything here is a pure function of values: no IO, no clock, no runtime. LSNs and recovery
//! forks decide, never file names, time stamps or the order in which files were found; and every
//! answer says why.
//!
//! - [`Chain`] is the index of one database's restore points, [`Catalog`] of many databases'.
//! - [`Chain::plan`] gives the shortest correct sequence of restores to a [`Target`], or an
//!   [`Unreachable`] that names the gap and the nearest times on both sides.
//! - [`Chain::reachable`] gives the times that can be restored to, and the gaps with their causes;
//!   [`Chain::state`] whether one point can be.
//! - [`Chain::next_backup`] looks at the engine before a backup and says what to take, so that it
//!   can be restored.
//! - [`next_file`] decides between a new file and the current one; [`Chain::retention`] what may
//!   be deleted, and when the rest may.
//! - [`render`] draws trees and timelines.
//!
//! ```
//! use uuid::Uuid;
//! use vab_chain::{BackupKind, BackupSet, Chain, Lsn, PointId, RestorePoint, Target};
//!
//! let point = |n: u32, kind, lsns: std::ops::Range<u32>| {
//!     let (id, lsn) = (Uuid::from_u128(n.into()), |n| Lsn::new(24, n, 1));
//!     let time = format!("2026-11-22T0{n}:00:00").parse().unwrap();
//!     let set = BackupSet::new(id.into(), "Sales", kind, lsn(lsns.start)..lsn(lsns.end), time, time);
//!     RestorePoint { id: PointId(id), set }
//! };
//! let full = point(1, BackupKind::Full, 100..140);
//! let logs = [point(2, BackupKind::Log, 90..200), point(3, BackupKind::Log, 200..300)];
//! let chain = Chain::new(logs.into_iter().chain([full]));
//! let plan = chain.plan(&Target::Time("2026-11-22T02:30:00".parse()?))?;
//! assert_eq!(plan.steps.len(), 3); // the full, a log, and the next one up to 02:30
//! let past = chain.plan(&Target::Time("2026-11-22T04:00:00".parse()?)).unwrap_err();
//! assert_eq!(past.before.unwrap().time.to_string(), "2026-11-22T03:00:00");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Rules
//!
//! They are those of SQL Server's documentation on backup sets, log sequence numbers, recovery
//! forks and `STOPAT`:
//!
//! - A differential goes with the one full whose backup set it names as its base. Only where a
//!   header lacks that identity, the checkpoint LSN has to do, and the plan says so.
//! - A log can be applied where its first LSN is not beyond, and its last LSN is, what the
//!   database has; fulls and differentials between logs do not matter. Logs may overlap, be empty,
//!   begin before a full, or be copy-only.
//! - A full that is copy-only is a start like any other, but no base for differentials.
//! - The same LSN on two recovery forks is two different places. A log backup that crosses from
//!   one fork to the next can be applied on both sides of the crossing.
//! - A restore cannot stop inside a log with bulk-logged changes.
//! - Towards a time, a full or differential has to have finished by then, and the last log is the
//!   first one that finished then or later.

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
