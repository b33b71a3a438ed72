//! A backup repository: a folder for each job, append-only `.VAB` files with the blocks of many
//! sessions, and metadata beside them that can always be made anew.
//!
//! ```
//! use vab_chain::{BackupKind, UtcTime};
//! use vab_format::block::BlockHeader;
//! use vab_repository::{Facts, Repository, RepositoryOptions, SessionFacts, SessionRequest};
//!
//! let folder = tempfile::tempdir()?;
//! let now: UtcTime = "2026-11-22T03:30:00Z".parse()?;
//! let repository = Repository::open(folder.path(), RepositoryOptions::default(), now)?;
//!
//! let session = repository.begin(SessionRequest {
//!     job: "SRV01 MSSQL backup (Backup Vol 01)".into(),
//!     database: "Sales".into(),
//!     kind: Some(BackupKind::Full),
//!     copy_only: false,
//!     encrypted: false,
//!     streams: 1,
//!     now,
//! })?;
//! let block = BlockHeader::for_raw(session.id().0, 0, 0, 0, b"bytes of a backup");
//! session.write(&block, b"bytes of a backup")?;
//! let facts = Facts::Opaque { kind: Some(BackupKind::Full) };
//! let ends = session.ends();
//! let point = session.commit(&SessionFacts { facts, names: vec![] }, &ends, now)?;
//!
//! let (_, bytes) = repository.reader(point.id)?.read_block(0, 0)?;
//! assert_eq!(bytes, &b"bytes of a backup"[..]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is promised
//!
//! * A restore point whose [`AppendSession::commit`] has returned is there after any crash, byte
//!   for byte. One whose commit was never asked for is never shown. In between it is either there
//!   and whole, or not there.
//! * The order of a commit: every block durable, then the commit record durable (and, for a new
//!   file, its name), then the `.VASM` replaced, then the `.VACM`. The data alone is enough: when
//!   metadata cannot be written, the commit holds, and [`Repository::notices`] says so.
//! * One server at a time writes a repository; readers come and go. One session at a time writes
//!   a file: a second session of the same database gets a file of its own and does not wait.
//! * A file whose disk failed during a write or sync is not written again; the next session gets
//!   a new one. So does the next after a damaged file.
//! * A new file has the name `….VAB.part` until its first commit. What a crash leaves under that
//!   name was never confirmed, and is removed at the next start. Behind the committed end of a
//!   `.VAB`, only what its sound `.VASM` does not know of is cut.
//!
//! The tests `crash_images`, `failing_io`, `damage` and `growth` hold it to this by enumeration.

#![forbid(unsafe_code)]

mod catalog;
mod causes;
mod container;
pub mod facts;
mod inspect;
pub mod names;
mod point;
mod repository;
pub mod salvage;
mod session;
pub mod storage;
pub mod verify;

pub use catalog::Notice;
pub use causes::with_causes;
pub use container::ReadError;
pub use facts::{Facts, SessionFacts};
pub use inspect::{
    Field, FileKind, InspectOptions, Inspection, Problem, RecordLine, inspect, inspect_on,
};
pub use point::StoredPoint;
#[doc(hidden)]
pub use repository::fuzzing;
pub use repository::{
    Interrupted, JobInfo, OpenError, Owner, RemoveError, Removed, Repository, RepositoryOptions,
    RescanError, RescanOptions, RescanReport, RetentionPlan,
};
pub use session::{
    AppendSession, BeginError, BlockWrite, CommitError, NewFile, Placement, SessionReader,
    SessionRequest, TakeUpError, WriteError,
};
pub use verify::{
    FileFinding, FileReport, Finding, PointReport, Severity, VerifyEvent, VerifyOptions,
    VerifyReport,
};
