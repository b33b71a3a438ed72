//! Beginning a session.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use uuid::Uuid;
use vab_chain::PointId;
use vab_format::vab::{End, KeyArea, VabHeader};

use super::layout::{DATA, FileRole};
use super::{Inner, is_missing};
use crate::catalog::{Catalog, JobFolder, Notice, Parked, StoredFile, Trust};
use crate::container::read_key_area;
use crate::names::DiskName;
use crate::session::{
    AppendSession, BeginError, NewFile, Place, Placement, SessionRequest, Target, place,
};
use crate::storage::{Access, Storage, StorageError, StoragePath};

pub(super) fn begin(
    inner: &Arc<Inner>,
    request: SessionRequest,
    keys: Option<&[u8]>,
) -> Result<AppendSession, BeginError> {
    let Some(tenure) = &inner.tenure else {
        return Err(BeginError::ReadOnly);
    };
    request.check()?;
    tenure.check(&*inner.storage)?;
    if request.encrypted != keys.is_some() {
        return Err(BeginError::Keys {
            encrypted: request.encrypted,
        });
    }
    if let Some(keys) = keys {
        KeyArea::check(keys)?;
    }
    // Counted before the catalog is looked at, so that a rescan knows of it.
    inner.running.fetch_add(1, Ordering::SeqCst);
    let target = choose(inner, &request, keys).inspect_err(|_| {
        inner.running.fetch_sub(1, Ordering::SeqCst);
    })?;
    tracing::debug!("{}: {}", request.database, target.placement);
    let place: Arc<dyn Place> = Arc::<Inner>::clone(inner);
    Ok(AppendSession::new(
        place,
        target,
        request,
        PointId(Uuid::new_v4()),
    ))
}

/// Chooses the file. The catalog is held, so that two sessions cannot choose the same one.
fn choose(
    inner: &Inner,
    request: &SessionRequest,
    keys: Option<&[u8]>,
) -> Result<Target, BeginError> {
    let mut notices = Vec::new();
    let target = choose_telling(inner, request, keys, &mut notices);
    for notice in notices {
        inner.notice(notice);
    }
    target
}

fn choose_telling(
    inner: &Inner,
    request: &SessionRequest,
    keys: Option<&[u8]>,
    notices: &mut Vec<Notice>,
) -> Result<Target, BeginError> {
    let storage = &*inner.storage;
    let mut catalog = inner.catalog();
    let same = |parked: &Parked| {
        let interrupted = &parked.note.request;
        interrupted.job == request.job && interrupted.database == request.database
    };
    catalog.give_up(storage, same, notices)?;
    let folder = match catalog.job(&request.job) {
        Some(folder) => folder.clone(),
        None => new_folder(storage, &mut catalog, &request.job)?,
    };
    let current = catalog
        .folders
        .get(&folder)
        .and_then(|known| known.newest(&request.database));
    let reason = match place(request, current, storage.can_append()) {
        Ok(()) => match current.map(|file| file.path.clone()) {
            Some(path) => match append(storage, &mut catalog, &path, notices)? {
                Ok(target) => return Ok(target),
                Err(reason) => NewFile::NotTrusted(reason),
            },
            None => NewFile::NotTrusted("it is gone".to_owned()),
        },
        Err(reason) => reason,
    };
    let job_id = catalog.folders.get(&folder).map(|folder| folder.job_id);
    new_file(
        storage,
        folder,
        job_id.unwrap_or_default(),
        request,
        (keys, reason),
    )
}

/// Opens the current file behind its committed end; the inner error says why it cannot be used.
fn append(
    storage: &dyn Storage,
    catalog: &mut Catalog,
    path: &StoragePath,
    notices: &mut Vec<Notice>,
) -> Result<Result<Target, String>, BeginError> {
    let Some(known) = catalog.file_mut(path) else {
        return Ok(Err("it is gone".to_owned()));
    };
    let StoredFile {
        trust: Trust::Sound(end),
        ..
    } = &*known
    else {
        return Ok(Err("it is damaged".to_owned()));
    };
    let end = End::clone(end);
    if known.late {
        // What the metadata does not know of would be cut after a crash.
        crate::catalog::write_file_metadata(storage, known)?;
        known.late = false;
    }
    let file = match storage.open(path, Access::Write) {
        Ok(file) => file,
        Err(error) if is_missing(&error) => {
            let reason = error.to_string();
            distrust(known, &reason, notices);
            return Ok(Err(reason));
        }
        Err(error) => return Err(error.into()),
    };
    let length = file.length()?;
    if length < end.committed_length {
        let reason = format!(
            "{length} bytes are there, {} were committed",
            end.committed_length
        );
        distrust(known, &reason, notices);
        return Ok(Err(reason));
    }
    if length > end.committed_length {
        file.truncate(end.committed_length)?;
    }
    let key_area = match read_key_area(&*file, &known.metadata.header) {
        Ok(area) => area,
        Err(error) => {
            let reason = error.to_string();
            distrust(known, &reason, notices);
            return Ok(Err(reason));
        }
    };
    known.writing = true;
    let header = known.metadata.header.clone();
    Ok(Ok(Target {
        file,
        header,
        key_area,
        placement: Placement::Append { file: path.clone() },
        end,
    }))
}

/// Does not write to a file again, and says so.
fn distrust(known: &mut StoredFile, reason: &str, notices: &mut Vec<Notice>) {
    known.trust = Trust::ReadOnly(reason.to_owned());
    notices.push(Notice::Damaged {
        file: known.path.clone(),
        reason: reason.to_owned(),
    });
}

fn new_file(
    storage: &dyn Storage,
    folder: DiskName,
    job_id: Uuid,
    request: &SessionRequest,
    (keys, reason): (Option<&[u8]>, NewFile),
) -> Result<Target, BeginError> {
    let created = request.now.as_micros();
    let id = Uuid::new_v4();
    let mut header = VabHeader::new(id, job_id, &request.job, &request.database, created);
    if request.encrypted {
        header = header.encrypted();
    }
    let opening = [&header.encode()?, keys.unwrap_or_default()].concat();
    let base = DiskName::file_base(&request.database, request.now, header.file);
    let path = StoragePath::in_folder(folder, base.with_extension(DATA));
    let file = storage.create(&path)?;
    if let Err(error) = file.write_at(&opening, 0) {
        // Garbage that the next start removes, if not even this is possible.
        let _ = storage.discard(&path);
        return Err(error.into());
    }
    let end = End::of_new(&header);
    Ok(Target {
        file,
        header,
        key_area: keys.map(<[u8]>::to_vec),
        placement: Placement::New { file: path, reason },
        end,
    })
}

/// Creates the folder of a job that has none.
fn new_folder(
    storage: &dyn Storage,
    catalog: &mut Catalog,
    job: &str,
) -> Result<DiskName, StorageError> {
    let mut there = storage.folders()?;
    // A folder without backups that a crash left behind is taken over.
    let mut empty = Vec::new();
    for folder in &there {
        if !catalog.folders.contains_key(folder) && has_no_backup(storage, folder)? {
            empty.push(folder.clone());
        }
    }
    there.extend(catalog.folders.keys().cloned());
    let folder = DiskName::for_name(job, |candidate| {
        there.iter().any(|other| {
            other.meets(candidate) && !(other == candidate && empty.contains(candidate))
        })
    });
    storage.create_folder(&folder)?;
    catalog
        .folders
        .insert(folder.clone(), JobFolder::new(&folder, job));
    Ok(folder)
}

fn has_no_backup(storage: &dyn Storage, folder: &DiskName) -> Result<bool, StorageError> {
    let files = storage.files(Some(folder))?;
    Ok(files
        .iter()
        .all(|file| FileRole::of(&file.name) == FileRole::Foreign))
}
