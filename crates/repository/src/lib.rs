//! Backup repository: job folders, crash-safe append sessions, recovery, verify, rescan and
//! retention over .VAB files.

#![forbid(unsafe_code)]

mod catalog;
mod container;
pub mod facts;
mod inspect;
pub mod names;
mod point;
mod repository;
mod session;
pub mod storage;
pub mod verify;

pub use catalog::Notice;
pub use container::ReadError;
pub use facts::{Facts, SessionFacts};
pub use inspect::{
    Field, FileKind, InspectOptions, Inspection, Problem, RecordLine, inspect, inspect_on,
};
pub use point::StoredPoint;
pub use repository::{
    JobInfo, OpenError, Owner, RemoveError, Removed, Repository, RepositoryOptions, RescanError,
    RescanOptions, RescanReport, RetentionPlan,
};
pub use session::{
    AppendSession, BeginError, CommitError, NewFile, Placement, SessionReader, SessionRequest,
    WriteError,
};
pub use verify::{
    FileFinding, FileReport, Finding, PointReport, Severity, VerifyEvent, VerifyOptions,
    VerifyReport,
};
