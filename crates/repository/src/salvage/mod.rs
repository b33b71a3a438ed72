//! Saving what is still whole in a damaged `.VAB`.
//!
//! The damaged file is only read. Every restore point whose blocks are all whole is written into a
//! new file in a new repository, with the identity it had; every other one is named with the
//! first thing that is wrong with it. A restore point with a hole is not saved: no engine could
//! restore it.

mod copy;
mod error;
mod find;
mod report;

use std::io::{Read, Seek};
use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;
use vab_chain::UtcTime;
use vab_format::vab::VabHeader;
use vab_format::vasm::Vasm;

pub use error::SalvageError;
pub use report::{Outcome, SalvageReport, SalvagedPoint};

use crate::catalog::METADATA_LIMIT;
use crate::names::DiskName;
use crate::repository::layout::{DATA, FILE_METADATA};
use crate::storage::{LocalDirectory, Storage, StoragePath};
use crate::{Repository, RepositoryOptions, RescanOptions};

/// Saves what is whole in the `.VAB` at `file` into a new repository in the folder `to`, which is
/// created, or must be empty. The `.VASM` beside the file is made use of when it is there.
///
/// # Errors
/// When the file cannot be read or is not a `.VAB` at all, or the new repository cannot be
/// written. That restore points are lost is no error.
pub fn salvage(file: &Path, to: &Path, now: UtcTime) -> Result<SalvageReport, SalvageError> {
    let read = |source| SalvageError::Read {
        file: file.display().to_string(),
        source,
    };
    let data = std::fs::File::open(file).map_err(read)?;
    let metadata = read_beside(&file.with_extension(FILE_METADATA));
    std::fs::create_dir_all(to).map_err(|source| SalvageError::Target {
        folder: to.display().to_string(),
        source,
    })?;
    let name = file.display().to_string();
    let to: Arc<dyn Storage> = Arc::new(LocalDirectory::new(to));
    salvage_on(data, &name, metadata, &to, now)
}

/// The same from any source, with the bytes of its `.VASM`, into any storage. `name` is how the
/// source is called in messages.
///
/// # Errors
/// As [`salvage`].
pub fn salvage_on(
    data: impl Read + Seek,
    name: &str,
    metadata: Option<Vec<u8>>,
    to: &Arc<dyn Storage>,
    now: UtcTime,
) -> Result<SalvageReport, SalvageError> {
    refuse_used(&**to)?;
    let metadata = metadata.and_then(|bytes| Vasm::decode(&bytes).ok());
    let mut found = find::sessions(data, name, metadata)?;
    let header = VabHeader {
        file: Uuid::new_v4(),
        ..found.header_kept.clone()
    };
    let mut report = SalvageReport::new(&found);
    if found.sessions.is_empty() {
        return Ok(report);
    }
    let base = DiskName::file_base(&header.database, now, header.file);
    let folder = DiskName::for_name(&header.job, |_| false);
    let path = StoragePath::in_folder(folder.clone(), base.with_extension(DATA));
    // Makes the folder a repository, and nobody else writes it meanwhile.
    let repository = Repository::open_on(Arc::clone(to), RepositoryOptions::default(), now)?;
    to.create_folder(&folder)?;
    if copy::whole_sessions(&mut found, header, &**to, &path, &mut report)? {
        repository.rescan(RescanOptions::default())?;
        report.file = Some(path);
    }
    Ok(report)
}

/// A `.VASM` that cannot be read is like one that is not there.
fn read_beside(path: &Path) -> Option<Vec<u8>> {
    let length = std::fs::metadata(path).ok()?.len();
    if length > METADATA_LIMIT {
        return None;
    }
    std::fs::read(path).ok()
}

fn refuse_used(to: &dyn Storage) -> Result<(), SalvageError> {
    let used = !to.folders()?.is_empty() || !to.files(None)?.is_empty();
    if used {
        return Err(SalvageError::NotEmpty {
            folder: to.location(),
        });
    }
    Ok(())
}
