//! Looking into one file, whatever state it is in.
//!
//! It needs no repository and trusts nothing: a damaged `.VAB` is read as far as its records can
//! be made out, and what lies between them is named by its place.

mod data;
mod metadata;
mod report;

use std::path::Path;

use vab_format::vab::VabHeader;

pub use report::{Field, FileKind, Inspection, Problem, RecordLine};

use crate::names::DiskName;
use crate::storage::{
    Access, Action, DataFile, LocalDirectory, Storage, StorageError, StoragePath,
};

/// How far a file is looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InspectOptions {
    /// How many records are listed; further ones are counted.
    pub records: usize,
    /// Whether payloads are read and compared with their checksums.
    pub payloads: bool,
}

impl Default for InspectOptions {
    /// 1000 records, with payloads.
    fn default() -> Self {
        Self {
            records: 1000,
            payloads: true,
        }
    }
}

/// Looks into a `.VAB`, `.VASM` or `.VACM` anywhere.
///
/// # Errors
/// When the file is not there or cannot be read. That it is damaged is no error.
pub fn inspect(
    path: impl AsRef<Path>,
    options: InspectOptions,
) -> Result<Inspection, StorageError> {
    let path = path.as_ref();
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .and_then(DiskName::from_disk);
    let Some(name) = name else {
        let source = std::io::Error::from(std::io::ErrorKind::NotFound);
        return Err(StorageError::new(
            Action::Open,
            path.display().to_string(),
            source,
        ));
    };
    let folder = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let storage = LocalDirectory::new(folder.unwrap_or_else(|| Path::new(".")));
    inspect_on(&storage, &StoragePath::in_root(name), options)
}

/// [`inspect()`] on any storage.
///
/// # Errors
/// As [`inspect()`].
pub fn inspect_on(
    storage: &dyn Storage,
    path: &StoragePath,
    options: InspectOptions,
) -> Result<Inspection, StorageError> {
    let file = storage.open(path, Access::Read)?;
    let length = file.length()?;
    let kind = kind(&*file, path)?;
    let mut inspection = Inspection::new(kind, path.to_string(), length);
    match kind {
        FileKind::Data => data::inspect(&*file, length, options, &mut inspection)?,
        FileKind::FileMetadata | FileKind::JobMetadata => {
            metadata::inspect(storage, path, options, &mut inspection)?;
        }
        FileKind::Unknown => {
            inspection.problem(0, "it is none of the files of a repository".to_owned());
        }
    }
    Ok(inspection)
}

/// By its first bytes; by its name when those are damaged.
fn kind(file: &dyn DataFile, path: &StoragePath) -> Result<FileKind, StorageError> {
    let mut first = [0; 8];
    file.read_at(&mut first, 0)?;
    Ok(match &first[1..] {
        b"VASM\r\n\x1a" => FileKind::FileMetadata,
        b"VACM\r\n\x1a" => FileKind::JobMetadata,
        b"VAB\r\n\x1a\n" => FileKind::Data,
        _ => match path
            .file()
            .split_extension()
            .1
            .to_ascii_uppercase()
            .as_str()
        {
            "VAB" | "PART" => FileKind::Data,
            "VASM" => FileKind::FileMetadata,
            "VACM" => FileKind::JobMetadata,
            _ => FileKind::Unknown,
        },
    })
}

/// The fields of a header.
fn header_fields(header: &VabHeader, inspection: &mut Inspection) {
    inspection.field("file", header.file);
    inspection.field("job", &header.job);
    inspection.field("job id", header.job_id);
    inspection.field("database", &header.database);
    inspection.field("created", vab_chain::UtcTime::from_micros(header.created));
    inspection.field("start of data", header.data_start);
    inspection.field("encrypted", header.features.is_encrypted());
}
