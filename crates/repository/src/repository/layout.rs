//! What lies where in a repository.
//!
//! ```text
//! vab-repository              which repository this is
//! vab-repository.lock         locked while a server has it open for writing
//! vab-repository.owner        which server that is
//! SRV01 MSSQL backup (…)/     one folder for each job
//!     SRV01 MSSQL backup (…).VACM
//!     Sales_20261122T033000Z_1f2e3d4c.VAB
//!     Sales_20261122T033000Z_1f2e3d4c.VASM
//!     Sales_20261122T033000Z_1f2e3d4c.VABNOTE     of a session on its way
//! ```

use crate::names::DiskName;
use crate::storage::StoragePath;

/// Extension of a data file.
pub(crate) const DATA: &str = "VAB";
/// Extension of the metadata of one data file.
pub(crate) const FILE_METADATA: &str = "VASM";
/// Extension of the metadata of one job.
pub(crate) const JOB_METADATA: &str = "VACM";
/// Extension of the note of a session on its way, beside the data file.
pub(crate) const NOTE: &str = "VABNOTE";

pub(super) fn marker() -> StoragePath {
    root_file("vab-repository")
}

pub(super) fn server_lock() -> StoragePath {
    root_file("vab-repository.lock")
}

pub(super) fn owner_note() -> StoragePath {
    root_file("vab-repository.owner")
}

fn root_file(name: &str) -> StoragePath {
    StoragePath::in_root(DiskName::for_name(name, |_| false))
}

/// What a file in a job folder is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileRole {
    Data,
    FileMetadata,
    JobMetadata,
    Note,
    /// A data file that was never published, or a metadata file that was never put in place.
    Unfinished,
    Foreign,
}

impl FileRole {
    pub(crate) fn of(name: &DiskName) -> Self {
        let (base, extension) = name.split_extension();
        match extension {
            DATA => Self::Data,
            FILE_METADATA => Self::FileMetadata,
            JOB_METADATA => Self::JobMetadata,
            NOTE => Self::Note,
            crate::storage::TEMPORARY | crate::storage::UNPUBLISHED => {
                match base.rsplit_once('.') {
                    Some((_, DATA | FILE_METADATA | JOB_METADATA | NOTE)) => Self::Unfinished,
                    _ => Self::Foreign,
                }
            }
            _ => Self::Foreign,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_follow_the_extension() {
        for (name, role) in [
            ("a.VAB", FileRole::Data),
            ("a.VASM", FileRole::FileMetadata),
            ("a.b.VACM", FileRole::JobMetadata),
            ("a.VABNOTE", FileRole::Note),
            ("a.VASM.tmp", FileRole::Unfinished),
            ("a.VABNOTE.tmp", FileRole::Unfinished),
            ("a.VAB.part", FileRole::Unfinished),
            ("letter.tmp", FileRole::Foreign),
            (".VAB", FileRole::Foreign),
            ("a.txt", FileRole::Foreign),
        ] {
            assert_eq!(
                FileRole::of(&DiskName::from_disk(name).unwrap()),
                role,
                "{name}"
            );
        }
    }
}
