//! What a verification found.

use std::fmt;

use vab_chain::PointState;

use crate::point::StoredPoint;
use crate::storage::StoragePath;

/// How bad a finding is. The worst one decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// Nothing was found.
    Clean,
    /// Nothing is lost or at risk: the rest of a session that was never committed, say.
    Note,
    /// Every restore point is there, but something that repeats or finds them is not as it should
    /// be: `rescan` makes it anew where that is possible.
    Degraded,
    /// A restore point is whole, and what it builds on is damaged or not there: its database
    /// cannot be restored to it.
    Unreachable,
    /// A restore point is damaged.
    Damaged,
}

/// Everything a verification found.
#[derive(Clone, Debug)]
pub struct VerifyReport {
    /// Each restore point that was read, in the order of their commits.
    pub points: Vec<PointReport>,
    /// Each file with something to say about it.
    pub files: Vec<FileReport>,
}

impl VerifyReport {
    /// The worst of all findings.
    pub fn worst(&self) -> Severity {
        let points = self.points.iter().map(PointReport::severity);
        let files = self
            .files
            .iter()
            .flat_map(|file| &file.findings)
            .map(FileFinding::severity);
        points.chain(files).max().unwrap_or(Severity::Clean)
    }

    /// Stored bytes that were read and compared.
    pub fn bytes(&self) -> u64 {
        self.points.iter().map(|point| point.bytes).sum()
    }
}

/// One restore point.
#[derive(Clone, Debug)]
pub struct PointReport {
    /// The restore point.
    pub point: StoredPoint,
    /// What is wrong with it; empty when it is whole.
    pub findings: Vec<Finding>,
    /// Whether the chain leads to it, with every restore point that was found damaged taken as
    /// unusable; `None` when its facts are not known.
    pub state: Option<PointState>,
    /// How many further findings were left out.
    pub more: u64,
    /// Bytes of its part of the file that were read.
    pub bytes: u64,
}

impl PointReport {
    /// Whether it would be restored byte for byte.
    pub fn is_whole(&self) -> bool {
        self.findings.is_empty()
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        let leads_there = self.state.as_ref().is_none_or(PointState::is_restorable);
        match (self.is_whole(), leads_there) {
            (true, true) => Severity::Clean,
            (true, false) => Severity::Unreachable,
            (false, _) => Severity::Damaged,
        }
    }
}

/// What is wrong with a restore point.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// Its commit record cannot be used: none of its blocks can be found.
    Commit {
        /// Why.
        reason: String,
    },
    /// A part of its index cannot be used: some of its blocks cannot be found.
    Index {
        /// The stream.
        stream: u16,
        /// The first block that is not found.
        sequence: u64,
        /// Why.
        reason: String,
    },
    /// A block is damaged, or another one lies in its place.
    Block {
        /// The stream.
        stream: u16,
        /// The block.
        sequence: u64,
        /// Where its raw bytes begin in the stream.
        offset: u64,
        /// How many raw bytes it holds.
        length: u64,
        /// Why.
        reason: String,
    },
    /// The records do not lie behind each other.
    Layout {
        /// Where in the file a record is due.
        expected: u64,
        /// Where the next one begins.
        found: u64,
    },
    /// A stream does not add up to what its source counted.
    Stream {
        /// The stream.
        stream: u16,
        /// What differs.
        what: &'static str,
        /// What the source counted.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// The `.VASM` says something else than the commit record.
    Metadata,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Commit { reason } => write!(f, "commit record: {reason}"),
            Self::Index {
                stream,
                sequence,
                reason,
            } => {
                write!(
                    f,
                    "stream {stream}: index from block {sequence} on: {reason}"
                )
            }
            Self::Block {
                stream,
                sequence,
                offset,
                length,
                reason,
            } => write!(
                f,
                "stream {stream}: block {sequence} ({length} bytes at {offset}): {reason}"
            ),
            Self::Layout { expected, found } => {
                write!(
                    f,
                    "a record is due at byte {expected}, the next is at {found}"
                )
            }
            Self::Stream {
                stream,
                what,
                expected,
                found,
            } => {
                write!(
                    f,
                    "stream {stream}: {what} is {found}, the source counted {expected}"
                )
            }
            Self::Metadata => f.write_str("the .VASM says something else than the commit record"),
        }
    }
}

/// One file.
#[derive(Clone, Debug)]
pub struct FileReport {
    /// The file.
    pub file: StoragePath,
    /// What was found.
    pub findings: Vec<FileFinding>,
}

/// What was found about a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileFinding {
    /// The header of a `.VAB` cannot be used; its `.VASM` repeats it.
    Header {
        /// Why.
        reason: String,
    },
    /// The key slots of an encrypted file are not whole.
    Keys {
        /// Why.
        reason: String,
    },
    /// A file is not there.
    Missing {
        /// How many restore points were in it, as far as known; 0 for metadata.
        points: u64,
    },
    /// A metadata file is damaged.
    Metadata {
        /// Why.
        reason: String,
    },
    /// A metadata file does not say what the files it describes say.
    Disagrees {
        /// What differs.
        what: String,
    },
    /// Bytes behind the last committed session.
    Tail {
        /// How many.
        bytes: u64,
    },
    /// The `.VACM` knows of more restore points in the file than there are: it was replaced by an
    /// older copy, or cut, and its `.VASM` is lost.
    Fewer {
        /// How many the `.VACM` knows of.
        known: u64,
        /// How many are there.
        found: u64,
    },
    /// The file is shorter than what was committed.
    Short {
        /// Its length.
        length: u64,
        /// What was committed.
        committed: u64,
    },
    /// The end of the file is not what was committed.
    End {
        /// Why.
        reason: String,
    },
    /// The file cannot be read.
    Unreadable {
        /// Why.
        reason: String,
    },
}

impl FileFinding {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Tail { .. } => Severity::Note,
            Self::Missing { points: 0 }
            | Self::Header { .. }
            | Self::Keys { .. }
            | Self::Metadata { .. }
            | Self::Disagrees { .. }
            | Self::End { .. } => Severity::Degraded,
            Self::Missing { .. }
            | Self::Fewer { .. }
            | Self::Short { .. }
            | Self::Unreadable { .. } => Severity::Damaged,
        }
    }
}

impl fmt::Display for FileFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header { reason } => write!(f, "header: {reason}"),
            Self::Keys { reason } => write!(f, "key slots: {reason}"),
            Self::Missing { points: 0 } => f.write_str("not there; rescan makes it anew"),
            Self::Missing { points } => write!(f, "not there, and {points} restore points in it"),
            Self::Metadata { reason } => write!(f, "{reason}; rescan makes it anew"),
            Self::Disagrees { what } => write!(f, "{what}; rescan makes it anew"),
            Self::Tail { bytes } => write!(
                f,
                "{bytes} bytes behind the last committed session: one that is on its way, or was \
                 never committed"
            ),
            Self::Fewer { known, found } => write!(
                f,
                "{found} restore points are there, the .VACM knows of {known}; find a newer copy of the \
                 file before rescan forgets them"
            ),
            Self::Short { length, committed } => {
                write!(f, "{length} bytes are there, {committed} were committed")
            }
            Self::End { reason } | Self::Unreadable { reason } => f.write_str(reason),
        }
    }
}
