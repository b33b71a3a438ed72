//! What was found, and what was done about it, when a repository was opened.

use std::fmt;

use crate::storage::StoragePath;

/// Something that a crash, damage, or somebody left in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The end of a session that was never committed was cut off.
    CutTail {
        /// The file.
        file: StoragePath,
        /// How many bytes were cut.
        bytes: u64,
    },
    /// A file that was never finished was removed.
    RemovedUnfinished {
        /// The file.
        file: StoragePath,
    },
    /// The metadata of a file was made anew from its data.
    RebuiltFileMetadata {
        /// The metadata file.
        file: StoragePath,
        /// Why.
        reason: String,
    },
    /// The metadata of a job was made anew from that of its files.
    RebuiltJobMetadata {
        /// The metadata file.
        file: StoragePath,
        /// Why.
        reason: String,
    },
    /// A file is damaged. What can be read of it stays readable; nothing is appended to it.
    Damaged {
        /// The file.
        file: StoragePath,
        /// What is wrong.
        reason: String,
    },
    /// There is metadata of a data file that is not there.
    DataMissing {
        /// The data file.
        file: StoragePath,
        /// How many restore points were in it, as far as known.
        sessions: u64,
    },
    /// The metadata of a job knew of more restore points in a data file than there are.
    PointsMissing {
        /// The data file.
        file: StoragePath,
        /// How many were known.
        known: u64,
        /// How many are there.
        found: u64,
    },
    /// Metadata could not be written. The restore points are safe in their data files; the
    /// metadata is written again at the next commit or start.
    MetadataLate {
        /// The metadata file.
        file: StoragePath,
        /// Why.
        reason: String,
    },
    /// Left-overs could not be cleaned up.
    NotCleaned {
        /// The file.
        file: StoragePath,
        /// Why.
        reason: String,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutTail { file, bytes } => {
                write!(
                    f,
                    "{file}: cut {bytes} bytes of a session that was never committed"
                )
            }
            Self::RemovedUnfinished { file } => {
                write!(f, "{file}: removed, it was never finished")
            }
            Self::RebuiltFileMetadata { file, reason } => {
                write!(f, "{file}: made anew from its .VAB ({reason})")
            }
            Self::RebuiltJobMetadata { file, reason } => {
                write!(f, "{file}: made anew from the .VASM files ({reason})")
            }
            Self::Damaged { file, reason } => {
                write!(
                    f,
                    "{file}: damaged, nothing more is appended to it ({reason}); run verify"
                )
            }
            Self::DataMissing { file, sessions } => write!(
                f,
                "{file}: not there, {sessions} restore points cannot be read; \
                 put the file back, or `rescan --forget-missing`"
            ),
            Self::PointsMissing { file, known, found } => write!(
                f,
                "{file}: {found} restore points are there, {known} were known; if there is a newer copy of \
                 the file, put it there and rescan"
            ),
            Self::MetadataLate { file, reason } => write!(
                f,
                "{file}: could not be written ({reason}); it is tried again at the next commit"
            ),
            Self::NotCleaned { file, reason } => {
                write!(f, "{file}: left-overs could not be removed ({reason})")
            }
        }
    }
}
