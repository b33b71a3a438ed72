//! Which file a session goes to.

use std::fmt;

use vab_chain::{FileDecision, FileSettings, NewFileReason, next_file};
use vab_format::FORMAT_VERSION;

use super::SessionRequest;
use crate::catalog::{StoredFile, Trust};
use crate::storage::StoragePath;

/// Which file a session goes to, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// The end of the database's current file.
    Append {
        /// The file.
        file: StoragePath,
    },
    /// A new file.
    New {
        /// The file.
        file: StoragePath,
        /// Why.
        reason: NewFile,
    },
}

/// Why a session gets a new file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NewFile {
    /// The rule for new files.
    Rule(NewFileReason),
    /// The kind of the backup is not known; it could be a full.
    UnknownKind,
    /// Another session is being written to the current file. Two at once never share a file:
    /// the second does not wait for the first, which may take hours.
    Busy,
    /// The current file is damaged, or its disk failed.
    NotTrusted(String),
    /// The place knows whole files only.
    WholeFiles,
    /// It was begun by a server that was killed, and goes on.
    TakenUp,
}

impl Placement {
    /// The file.
    pub fn file(&self) -> &StoragePath {
        match self {
            Self::Append { file } | Self::New { file, .. } => file,
        }
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Append { file } => write!(f, "append to {file}"),
            Self::New { file, reason } => write!(f, "new file {file}: {reason}"),
        }
    }
}

impl fmt::Display for NewFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(reason) => reason.fmt(f),
            Self::UnknownKind => f.write_str("the kind of the backup is not known"),
            Self::Busy => f.write_str("another session is being written to the current one"),
            Self::NotTrusted(reason) => write!(f, "the current one is not trusted ({reason})"),
            Self::TakenUp => f.write_str("it was begun before the server was started again"),
            Self::WholeFiles => f.write_str("this storage has no append"),
        }
    }
}

/// Decides; `Ok` is to append to `current`.
pub(crate) fn place(
    request: &SessionRequest,
    current: Option<&StoredFile>,
    can_append: bool,
) -> Result<(), NewFile> {
    let Some(kind) = request.kind else {
        return Err(NewFile::UnknownKind);
    };
    let wanted = FileSettings {
        encrypted: request.encrypted,
        format_version: FORMAT_VERSION,
    };
    let settings = current.map(StoredFile::current);
    let decision = next_file(
        kind,
        request.copy_only,
        settings.as_ref(),
        &wanted,
        request.now,
    );
    if let FileDecision::NewFile(reason) = decision {
        return Err(NewFile::Rule(reason));
    }
    if !can_append {
        return Err(NewFile::WholeFiles);
    }
    match current {
        Some(StoredFile { writing: true, .. }) => Err(NewFile::Busy),
        Some(StoredFile {
            trust: Trust::ReadOnly(reason),
            ..
        }) => Err(NewFile::NotTrusted(reason.clone())),
        Some(_) => Ok(()),
        None => Err(NewFile::Rule(NewFileReason::NoFile)),
    }
}
