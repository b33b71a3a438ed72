//! Why PostgreSQL, or what it left on the disk, cannot be used.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vab_engine::EngineError;

use crate::programs::ProgramError;

/// Why something about a cluster failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresError {
    /// One of PostgreSQL's programs, or `tar`, failed.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The system refused.
    #[error("{}: cannot be {action}", .path.display())]
    Io {
        /// What was tried: `read`, `made`, …
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// The system's error.
        #[source]
        error: io::Error,
    },
    /// The server answered something else than was expected.
    #[error("the server answered `{answer}` where {expected} was expected")]
    Answer {
        /// What was expected.
        expected: &'static str,
        /// What came.
        answer: String,
    },
    /// A file of the archive is not the WAL that its name says.
    #[error(
        "{}: is not the WAL segment it is called: {reason}; move it away, then take a full backup",
        .file.display()
    )]
    Segment {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A timeline history cannot be read.
    #[error("the history of timeline {timeline} cannot be read: `{line}` is no line of it")]
    History {
        /// The timeline.
        timeline: u32,
        /// The line.
        line: String,
    },
    /// The history of a timeline is not there.
    #[error("{}: the history of timeline {timeline} is missing", .folder.display())]
    NoHistory {
        /// The timeline.
        timeline: u32,
        /// Where it should be.
        folder: PathBuf,
    },
    /// The server did not archive a segment.
    #[error(
        "the server has not archived the WAL segment {segment} within {seconds} s; see {}",
        .log.display()
    )]
    NotArchived {
        /// The segment's file name.
        segment: String,
        /// How long it was waited for.
        seconds: u32,
        /// The server's log.
        log: PathBuf,
    },
    /// A stream of a base backup does not say which WAL it needs.
    #[error("the base backup has no sound manifest: {reason}")]
    Manifest {
        /// What is wrong with it.
        reason: String,
    },
    /// A stream of a log backup is not one run of WAL.
    #[error("the log backup is not one run of WAL segments: {reason}")]
    NotARun {
        /// What is wrong with it.
        reason: String,
    },
    /// The server ended while it recovered.
    #[error("the server ended during recovery; see {}: {said}", .log.display())]
    RecoveryEnded {
        /// Its log.
        log: PathBuf,
        /// The last lines of it.
        said: String,
    },
    /// A path cannot stand in the server's settings.
    #[error("{}: a path of a cluster has to be UTF-8 without control characters, {limit} bytes at most", .path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// The greatest length.
        limit: usize,
    },
    /// The state of a restore cannot be read.
    #[error("{}: is damaged; begin with the full backup again", .path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        error: serde_json::Error,
    },
}

impl PostgresError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io {
            action,
            path,
            error,
        }
    }

    pub(crate) fn segment(file: &Path, reason: impl Into<String>) -> Self {
        Self::Segment {
            file: file.to_owned(),
            reason: reason.into(),
        }
    }

    /// As the error of an engine that did `action`.
    pub(crate) fn during(self, action: &'static str) -> EngineError {
        EngineError::Io {
            action,
            error: Arc::new(io::Error::other(self)),
        }
    }
}
