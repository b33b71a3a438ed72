//! Opening the place itself: is it a repository, which one, and may it be written.

use uuid::Uuid;
use vab_chain::UtcTime;

use super::layout::{self, FileRole};
use super::marker::{self, Marker, MarkerError};
use super::owner::Tenure;
use super::{OpenError, Owner};
use crate::storage::{Storage, StorageError, StorageErrorKind};

/// The greatest version of the layout that is known.
const VERSION: u32 = 1;

/// Opens for writing: takes the lock, and makes an empty folder a repository.
pub(super) fn for_writing(
    storage: &dyn Storage,
    owner: Owner,
    now: UtcTime,
) -> Result<(Uuid, Tenure), OpenError> {
    let found = read_marker(storage)?;
    if found.is_none() {
        refuse_foreign(storage)?;
    }
    let writable = |source| not_writable(storage, source);
    let tenure = Tenure::take(storage, owner, now)
        .map_err(writable)?
        .map_err(|owner| OpenError::InUse {
            location: storage.location(),
            owner,
        })?;
    // Nobody else can have made it one since: this server has the lock.
    if let Some(marker) = read_marker(storage)? {
        return Ok((marker.id, tenure));
    }
    let marker = Marker {
        id: Uuid::new_v4(),
        created: now,
    };
    storage
        .replace(&layout::marker(), marker.to_text().as_bytes())
        .map_err(writable)?;
    Ok((marker.id, tenure))
}

/// Opens for reading, beside whoever writes. The folder may be one that was copied without its
/// marker.
pub(super) fn for_reading(storage: &dyn Storage) -> Result<Option<Uuid>, OpenError> {
    let marker = read_marker(storage)?;
    if marker.is_none() {
        // Says so when there is no such folder at all.
        storage
            .folders()
            .map_err(|source| missing(storage, source))?;
    }
    Ok(marker.map(|marker| marker.id))
}

fn read_marker(storage: &dyn Storage) -> Result<Option<Marker>, OpenError> {
    let read = storage.read(&layout::marker(), marker::LIMIT);
    let Some(bytes) = read.map_err(|source| missing(storage, source))? else {
        return Ok(None);
    };
    match Marker::from_bytes(&bytes) {
        Ok(marker) => Ok(Some(marker)),
        // The backups do not depend on it: a damaged one is made anew.
        Err(MarkerError::Damaged) => Ok(None),
        Err(MarkerError::Newer(found)) => Err(OpenError::Newer {
            location: storage.location(),
            found,
            supported: VERSION,
        }),
    }
}

/// A folder without a marker is taken when it is empty or holds job folders.
fn refuse_foreign(storage: &dyn Storage) -> Result<(), OpenError> {
    let folders = storage
        .folders()
        .map_err(|source| missing(storage, source))?;
    for folder in &folders {
        let files = storage.files(Some(folder))?;
        if files
            .iter()
            .any(|file| FileRole::of(&file.name) != FileRole::Foreign)
        {
            return Ok(());
        }
    }
    let ours = [
        layout::marker(),
        layout::server_lock(),
        layout::owner_note(),
    ];
    let files = storage.files(None)?.into_iter().map(|file| file.name);
    let foreign = files.chain(folders).find(|name| {
        let (base, _) = name.split_extension();
        !ours
            .iter()
            .any(|path| path.file() == name || path.file().as_str() == base)
            && name.as_str() != "lost+found"
    });
    match foreign {
        None => Ok(()),
        Some(found) => Err(OpenError::Foreign {
            location: storage.location(),
            found: found.to_string(),
        }),
    }
}

fn missing(storage: &dyn Storage, source: StorageError) -> OpenError {
    match source.kind {
        StorageErrorKind::Missing => OpenError::Missing {
            location: storage.location(),
        },
        _ => OpenError::Storage(source),
    }
}

fn not_writable(storage: &dyn Storage, source: StorageError) -> OpenError {
    match source.kind {
        StorageErrorKind::ReadOnly | StorageErrorKind::Denied => OpenError::NotWritable {
            location: storage.location(),
            source,
        },
        StorageErrorKind::Missing => OpenError::Missing {
            location: storage.location(),
        },
        _ => OpenError::Storage(source),
    }
}
