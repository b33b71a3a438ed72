//! Headers, ends and metadata of files, against each other.

use std::collections::BTreeMap;

use vab_format::vab::KeyArea;
use vab_format::vacm::Vacm;
use vab_format::vasm::Vasm;

use super::{FileFinding, FileReport};
use crate::catalog::{Fewer, METADATA_LIMIT, fewer};
use crate::container::{VabFile, read_key_area};
use crate::repository::layout::FILE_METADATA;
use crate::repository::{KnownFile, Repository};
use crate::storage::{Access, Storage, StorageError, StorageErrorKind, StoragePath};

type Findings = BTreeMap<StoragePath, Vec<FileFinding>>;

/// Checks every file; those without a finding are left out.
pub(super) fn check_all(repository: &Repository) -> Result<Vec<FileReport>, StorageError> {
    let mut findings = Findings::new();
    let storage = repository.storage();
    if let Some((path, finding)) = repository.check_marker()? {
        findings.entry(path).or_default().push(finding);
    }
    for KnownFile {
        path,
        metadata,
        distrust,
    } in repository.known_files()
    {
        check_data(storage, &path, &metadata, &mut findings);
        if let Some(reason) = distrust {
            let of_file = findings.entry(path.clone()).or_default();
            // A file that is too short has lost its end too.
            let is_short = |finding: &FileFinding| matches!(finding, FileFinding::Short { .. });
            if !of_file.iter().any(is_short) {
                of_file.push(FileFinding::End { reason });
            }
        }
        check_metadata(storage, &path, &metadata, &mut findings);
    }
    for (path, points) in repository.missing_files() {
        findings
            .entry(path)
            .or_default()
            .push(FileFinding::Missing { points });
    }
    for (path, reason) in repository.unreadable_files() {
        findings
            .entry(path)
            .or_default()
            .push(FileFinding::Unreadable { reason });
    }
    for (path, due) in repository.job_metadata() {
        check_job_metadata(storage, &path, &due, &mut findings);
    }
    Ok(findings
        .into_iter()
        .map(|(file, findings)| FileReport { file, findings })
        .collect())
}

fn check_data(storage: &dyn Storage, path: &StoragePath, metadata: &Vasm, findings: &mut Findings) {
    let mut add = |finding| findings.entry(path.clone()).or_default().push(finding);
    let file = match storage.open(path, Access::Read) {
        Ok(file) => file,
        Err(error) => {
            return add(FileFinding::Unreadable {
                reason: error.to_string(),
            });
        }
    };
    let length = file.length();
    let committed = metadata.committed_length();
    match length {
        Ok(length) if length < committed => add(FileFinding::Short { length, committed }),
        Ok(length) if length > committed => add(FileFinding::Tail {
            bytes: length - committed,
        }),
        Ok(_) => {}
        Err(error) => add(FileFinding::Unreadable {
            reason: error.to_string(),
        }),
    }
    match read_key_area(&*file, &metadata.header) {
        Ok(None) => {}
        Ok(Some(area)) => {
            if let Err(error) = KeyArea::check(&area) {
                add(FileFinding::Keys {
                    reason: error.to_string(),
                });
            }
        }
        Err(error) => add(FileFinding::Keys {
            reason: error.to_string(),
        }),
    }
    match VabFile::open(file) {
        Ok(vab) if vab.header == metadata.header => {}
        Ok(_) => add(FileFinding::Header {
            reason: "it is that of another file than the .VASM describes".to_owned(),
        }),
        Err(error) => add(FileFinding::Header {
            reason: error.to_string(),
        }),
    }
}

fn check_metadata(storage: &dyn Storage, data: &StoragePath, due: &Vasm, findings: &mut Findings) {
    let path = data.sibling(FILE_METADATA);
    let found = match storage.read(&path, METADATA_LIMIT) {
        Ok(Some(bytes)) => Vasm::decode(&bytes),
        other => {
            let finding = match other {
                Ok(_) => FileFinding::Missing { points: 0 },
                Err(error) => unreadable(&error),
            };
            return findings.entry(path).or_default().push(finding);
        }
    };
    let finding = match found {
        Ok(found) if found == *due => return,
        Ok(found) => FileFinding::Disagrees {
            what: difference(&found, due),
        },
        Err(error) => FileFinding::Metadata {
            reason: error.to_string(),
        },
    };
    findings.entry(path).or_default().push(finding);
}

fn difference(found: &Vasm, due: &Vasm) -> String {
    let (listed, there) = (found.sessions.len(), due.sessions.len());
    if found.header != due.header {
        "it is that of another .VAB".to_owned()
    } else if listed == there {
        "it says something else of its restore points than the .VAB".to_owned()
    } else {
        format!("it lists {listed} restore points, the .VAB has {there}")
    }
}

fn check_job_metadata(
    storage: &dyn Storage,
    path: &StoragePath,
    due: &Vacm,
    findings: &mut Findings,
) {
    let finding = match storage.read(path, METADATA_LIMIT) {
        Ok(Some(bytes)) => match Vacm::decode(&bytes) {
            Ok(found) if found == *due => return,
            Ok(known) => {
                for fewer in fewer(&known, due) {
                    check_fewer(storage, path, fewer, findings);
                }
                FileFinding::Disagrees {
                    what: "it does not list what is there".to_owned(),
                }
            }
            Err(error) => FileFinding::Metadata {
                reason: error.to_string(),
            },
        },
        Ok(None) => FileFinding::Missing { points: 0 },
        Err(error) => unreadable(&error),
    };
    findings.entry(path.clone()).or_default().push(finding);
}

fn check_fewer(
    storage: &dyn Storage,
    metadata: &StoragePath,
    fewer: Fewer,
    findings: &mut Findings,
) {
    let path = metadata.beside(fewer.name);
    let length = storage
        .open(&path, Access::Read)
        .and_then(|file| file.length());
    // A longer one is one that a server has committed more to since the folder was read.
    if length.is_ok_and(|length| length < fewer.committed) {
        let Fewer { known, found, .. } = fewer;
        let finding = FileFinding::Fewer { known, found };
        findings.entry(path).or_default().push(finding);
    }
}

/// Metadata can be made anew, whatever is wrong with it.
fn unreadable(error: &StorageError) -> FileFinding {
    match error.kind {
        StorageErrorKind::Missing => FileFinding::Missing { points: 0 },
        _ => FileFinding::Metadata {
            reason: error.to_string(),
        },
    }
}
