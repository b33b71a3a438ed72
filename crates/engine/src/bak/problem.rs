//! What stands in the way of a media set, and what is worth knowing about one.

use std::fmt;
use std::io;
use std::path::PathBuf;

use uuid::Uuid;
use vab_chain::BackupSetId;

use crate::mtf::{MtfError, UnsupportedKind};

/// Why a file or a media set cannot be used. The others are not touched by it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A file is no backup, or not a whole one.
    #[error("{}: {error}", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: MtfError,
    },
    /// The system does not give a file or a folder.
    #[error("{}: cannot be read: {error}", .path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Neither a file nor a folder.
    #[error("{}: is neither a file nor a folder", .path.display())]
    NotAFile {
        /// What was named.
        path: PathBuf,
    },
    /// No backup is in a folder.
    #[error("{}: there is no SQL Server backup in this folder", .path.display())]
    NoBackups {
        /// The folder.
        path: PathBuf,
    },
    /// The backup is of a kind without rules.
    #[error("{}: {error}", Paths(.paths))]
    Unsupported {
        /// Its files.
        paths: Vec<PathBuf>,
        /// The kind.
        error: UnsupportedKind,
    },
    /// Stripes are missing.
    #[error(
        "{} of media set {media_set} (database {database}, backup set {backup_set}) {} missing; \
         found only {}; name all files of the set together",
        Stripes(.missing, *.count),
        if .missing.len() == 1 { "is" } else { "are" },
        Paths(.found)
    )]
    MissingStripes {
        /// The numbers of the missing ones, from 1.
        missing: Vec<u16>,
        /// How many stripes the set has.
        count: u16,
        /// The media set.
        media_set: Uuid,
        /// The backup set in it.
        backup_set: BackupSetId,
        /// Its database.
        database: String,
        /// The stripes that are there.
        found: Vec<PathBuf>,
    },
    /// Two different files say that they are the same stripe.
    #[error(
        "{} and {} both say that they are stripe {number} of {count} of media set {media_set} \
         (database {database}, backup set {backup_set}), but their bytes differ; remove the \
         wrong one",
        .first.display(), .second.display()
    )]
    TwoVersions {
        /// The stripe's number, from 1.
        number: u16,
        /// How many stripes the set has.
        count: u16,
        /// The media set.
        media_set: Uuid,
        /// The backup set in it.
        backup_set: BackupSetId,
        /// Its database.
        database: String,
        /// One file.
        first: PathBuf,
        /// The other file.
        second: PathBuf,
    },
    /// Stripes of one set do not tell the same about it.
    #[error(
        "{} and {} are stripes of media set {media_set} but differ in {what}; they are not of \
         one backup",
        .first.display(), .second.display()
    )]
    StripesDisagree {
        /// The media set.
        media_set: Uuid,
        /// One file.
        first: PathBuf,
        /// The other file.
        second: PathBuf,
        /// In what they differ.
        what: &'static str,
    },
}

/// Something worth knowing that stands in nobody's way.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// A file in a folder is no backup and was passed over.
    NotABackup {
        /// The file.
        path: PathBuf,
    },
    /// A file has the same bytes as another one and was passed over.
    Duplicate {
        /// The file.
        path: PathBuf,
        /// The one that is used.
        of: PathBuf,
    },
    /// A file holds several backup sets; it is stored whole, under the facts of the first.
    SeveralSets {
        /// The file.
        path: PathBuf,
        /// How many.
        count: usize,
    },
    /// Bytes follow after the end of the last backup set; they are stored with it.
    TrailingBytes {
        /// The file.
        path: PathBuf,
        /// How many.
        bytes: u64,
    },
    /// A compressed container of unknown layout: kind, LSNs and database are not known.
    Compressed {
        /// The file.
        path: PathBuf,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotABackup { path } => {
                write!(
                    f,
                    "{}: not a SQL Server backup, passed over",
                    path.display()
                )
            }
            Self::Duplicate { path, of } => {
                let (path, of) = (path.display(), of.display());
                write!(f, "{path}: the same as {of}, passed over")
            }
            Self::SeveralSets { path, count } => write!(
                f,
                "{}: holds {count} backup sets; it is kept whole, under the facts of the first",
                path.display()
            ),
            Self::TrailingBytes { path, bytes } => write!(
                f,
                "{}: {bytes} bytes follow after its last backup set; they are kept with it",
                path.display()
            ),
            Self::Compressed { path } => write!(
                f,
                "{}: a compressed backup of unknown layout; it is kept whole, but its kind, database and LSNs are \
                 not known (RESTORE HEADERONLY tells them)",
                path.display()
            ),
        }
    }
}

/// `stripe 2 of 2`, `stripes 2, 3 of 4`.
struct Stripes<'a>(&'a [u16], u16);

impl fmt::Display for Stripes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(numbers, count) = self;
        f.write_str(if numbers.len() == 1 {
            "stripe "
        } else {
            "stripes "
        })?;
        for (index, number) in numbers.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{number}")?;
        }
        write!(f, " of {count}")
    }
}

struct Paths<'a>(&'a [PathBuf]);

impl fmt::Display for Paths<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, path) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{}", path.display())?;
        }
        Ok(())
    }
}
