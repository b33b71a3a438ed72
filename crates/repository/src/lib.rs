//! Backup repository: job folders, crash-safe append sessions, recovery, verify, rescan and
//! retention over .VAB files.

#![forbid(unsafe_code)]

mod catalog;
mod container;
pub mod facts;
pub mod names;
mod point;
mod repository;
mod session;
pub mod storage;

pub use catalog::Notice;
pub use container::ReadError;
pub use facts::{Facts, SessionFacts};
pub use point::StoredPoint;
pub use repository::{JobInfo, OpenError, Owner, Repository, RepositoryOptions};
pub use session::{
    AppendSession, BeginError, CommitError, NewFile, Placement, SessionReader, SessionRequest,
    WriteError,
};
