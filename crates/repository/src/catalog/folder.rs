//! One job folder.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use uuid::Uuid;
use vab_format::vacm::{FileSummary, Vacm};
use vab_format::vasm::Vasm;

use super::file::{METADATA_LIMIT, StoredFile, load_file};
use super::parked::{self, Parked};
use super::{Mode, Notice};
use crate::names::DiskName;
use crate::repository::layout::{DATA, FileRole, JOB_METADATA, NOTE};
use crate::storage::{Storage, StorageError, StorageErrorKind, StoragePath};

/// A job folder.
#[derive(Debug)]
pub(crate) struct JobFolder {
    pub(crate) job_id: Uuid,
    pub(crate) job: String,
    /// The name of its `.VACM`.
    pub(crate) metadata: StoragePath,
    /// The data files by their names.
    pub(crate) files: BTreeMap<DiskName, StoredFile>,
    /// Metadata of data files that are not there.
    pub(crate) missing: BTreeMap<DiskName, Vasm>,
    /// Data files of which nothing can be used, and why.
    pub(crate) unreadable: BTreeMap<DiskName, String>,
    /// Files that only the `.VACM` knows of.
    pub(crate) lost: Vec<FileSummary>,
    /// Held while metadata of the folder is written, so that what is newer comes later.
    pub(crate) metadata_turn: Arc<Mutex<()>>,
}

impl JobFolder {
    /// A new folder without files.
    pub(crate) fn new(folder: &DiskName, job: &str) -> Self {
        Self {
            job_id: Uuid::new_v4(),
            job: job.to_owned(),
            metadata: StoragePath::in_folder(folder.clone(), folder.with_extension(JOB_METADATA)),
            files: BTreeMap::new(),
            missing: BTreeMap::new(),
            unreadable: BTreeMap::new(),
            lost: Vec::new(),
            metadata_turn: Arc::default(),
        }
    }

    /// What its `.VACM` has to say.
    pub(crate) fn summary(&self) -> Vacm {
        let there = self.files.iter().map(|(name, file)| (name, &file.metadata));
        let missing = self.missing.iter();
        let files = there
            .chain(missing)
            .map(|(name, vasm)| vasm.summary(name.as_str()));
        let files = files.chain(self.lost.iter().cloned()).collect();
        Vacm {
            job_id: self.job_id,
            job: self.job.clone(),
            files,
        }
    }

    /// Whether no backup is in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.missing.is_empty() && self.unreadable.is_empty()
    }

    /// The file that the database's next session may be appended to: its newest.
    pub(crate) fn newest(&self, database: &str) -> Option<&StoredFile> {
        self.files
            .values()
            .filter(|file| file.metadata.header.database == database)
            .max_by_key(|file| (file.metadata.header.created, &file.path))
    }
}

/// A folder, and the sessions in it that can be taken up.
type Loaded = (JobFolder, BTreeMap<StoragePath, Parked>);

/// Loads a folder; `None` when no file of a backup is in it.
pub(super) fn load(
    storage: &dyn Storage,
    name: &DiskName,
    mode: Mode,
    notices: &mut Vec<Notice>,
) -> Result<Option<Loaded>, StorageError> {
    let listed = storage.files(Some(name))?;
    let by_role = |role| {
        let of_role = listed
            .iter()
            .filter(move |file| FileRole::of(&file.name) == role);
        of_role.map(|file| StoragePath::in_folder(name.clone(), file.name.clone()))
    };
    let (mut notes, mut parked) = (BTreeMap::new(), BTreeMap::new());
    if mode != Mode::Read {
        notes = parked::read_notes(storage, by_role(FileRole::Note))?;
        for file in by_role(FileRole::Unfinished) {
            let data = file.beside(file.file().without_extension());
            if let Some(note) = notes.get(&data)
                && let Some(kept) = parked::new_file(storage, &data, note.clone())?
            {
                notes.remove(&data);
                parked.insert(data, kept);
                continue;
            }
            notices.push(match storage.remove(&file) {
                Ok(()) => Notice::RemovedUnfinished { file },
                Err(error) => Notice::NotCleaned {
                    file,
                    reason: error.to_string(),
                },
            });
        }
    }
    let (mut files, mut unreadable) = (BTreeMap::new(), BTreeMap::new());
    for path in by_role(FileRole::Data) {
        match load_file(storage, &path, mode, notes.get(&path), notices) {
            Ok(Ok(file)) => {
                if file.writing
                    && let Some(note) = notes.remove(&path)
                {
                    let new_file = None;
                    parked.insert(path.clone(), Parked { note, new_file });
                }
                files.insert(path.file().clone(), file);
            }
            Ok(Err(reason)) => {
                unreadable.insert(path.file().clone(), reason);
            }
            // Removed since it was listed: a server may work beside a reader.
            Err(error) if error.kind == StorageErrorKind::Missing => {}
            Err(error) => return Err(error),
        }
    }
    for data in notes.keys() {
        // Of a session that was committed or given up.
        storage.remove(&data.sibling(NOTE))?;
    }
    let mut missing = BTreeMap::new();
    for path in by_role(FileRole::FileMetadata) {
        let data = path.sibling(DATA);
        if files.contains_key(data.file()) || unreadable.contains_key(data.file()) {
            continue;
        }
        let bytes = storage.read(&path, METADATA_LIMIT)?;
        if let Some(vasm) = bytes.and_then(|bytes| Vasm::decode(&bytes).ok()) {
            if mode.rebuild().forget {
                storage.remove(&path)?;
                continue;
            }
            let sessions = vasm.sessions.len() as u64;
            notices.push(Notice::DataMissing {
                file: data.clone(),
                sessions,
            });
            missing.insert(data.file().clone(), vasm);
        }
    }
    let metadata = by_role(FileRole::JobMetadata).next();
    let nothing = files.is_empty() && missing.is_empty() && unreadable.is_empty();
    if nothing && metadata.is_none() && parked.is_empty() {
        return Ok(None);
    }
    let mut folder = JobFolder {
        files,
        missing,
        unreadable,
        ..JobFolder::new(name, name.as_str())
    };
    if let Some(header) = parked.values().find_map(|parked| parked.new_file.as_ref()) {
        folder.job_id = header.job_id;
        folder.job.clone_from(&header.job);
    }
    if let Some(path) = metadata {
        folder.metadata = path;
    }
    job_metadata(storage, &mut folder, mode, notices)?;
    Ok(Some((folder, parked)))
}

/// Brings the `.VACM` and what was found together.
fn job_metadata(
    storage: &dyn Storage,
    folder: &mut JobFolder,
    mode: Mode,
    notices: &mut Vec<Notice>,
) -> Result<(), StorageError> {
    let bytes = storage.read(&folder.metadata, METADATA_LIMIT)?;
    let stored = bytes.map(|bytes| Vacm::decode(&bytes));
    let newest = folder.files.values().map(|file| &file.metadata.header);
    let newest = newest.chain(folder.missing.values().map(|vasm| &vasm.header));
    let newest = newest.max_by_key(|header| header.created);
    match (&stored, newest) {
        (Some(Ok(stored)), _) => {
            folder.job_id = stored.job_id;
            folder.job.clone_from(&stored.job);
        }
        (_, Some(header)) => {
            folder.job_id = header.job_id;
            folder.job.clone_from(&header.job);
        }
        _ => {}
    }
    let forget = mode.rebuild().forget;
    if let Some(Ok(stored)) = &stored {
        keep_lost(folder, stored, forget, notices);
    }
    let due = folder.summary();
    if let Some(Ok(stored)) = &stored {
        notices.extend(fewer(stored, &due).map(|fewer| Notice::PointsMissing {
            file: folder.metadata.beside(fewer.name),
            known: fewer.known,
            found: fewer.found,
        }));
    }
    let reason = match stored {
        Some(Ok(stored)) if stored == due && !mode.rebuild().jobs => return Ok(()),
        Some(Ok(stored)) if stored == due => "as asked".to_owned(),
        Some(Ok(_)) => "it was behind".to_owned(),
        Some(Err(error)) => error.to_string(),
        None => "it was not there".to_owned(),
    };
    // Without a single readable file there is nothing to make it from.
    let is_nothing = due.files.is_empty() && !(forget && folder.unreadable.is_empty());
    if mode == Mode::Read || is_nothing {
        return Ok(());
    }
    let file = folder.metadata.clone();
    notices.push(match write_job_metadata(storage, &file, &due) {
        Ok(()) => Notice::RebuiltJobMetadata { file, reason },
        Err(error) => Notice::MetadataLate {
            file,
            reason: error.to_string(),
        },
    });
    Ok(())
}

/// Does not forget a file because it cannot be read, or, unless asked to, is not there.
fn keep_lost(folder: &mut JobFolder, stored: &Vacm, forget: bool, notices: &mut Vec<Notice>) {
    let found = folder.summary();
    for file in &stored.files {
        if found.files.iter().any(|found| found.name == file.name) {
            continue;
        }
        let name = DiskName::from_disk(&file.name);
        let is_missing = |name: &DiskName| !folder.unreadable.contains_key(name);
        if forget && name.as_ref().is_none_or(is_missing) {
            continue;
        }
        if let Some(name) = name.filter(is_missing) {
            let path = folder.metadata.beside(name);
            notices.push(Notice::DataMissing {
                file: path,
                sessions: file.sessions,
            });
        }
        folder.lost.push(file.clone());
    }
}

/// A data file with fewer restore points than its job's metadata knew of.
pub(crate) struct Fewer {
    pub(crate) name: DiskName,
    pub(crate) known: u64,
    pub(crate) found: u64,
    /// How long the file was at least.
    pub(crate) committed: u64,
}

/// The data files that lost restore points since `known` was written. What is committed in a file
/// stays in it for as long as the file is there.
pub(crate) fn fewer<'v>(known: &'v Vacm, due: &'v Vacm) -> impl Iterator<Item = Fewer> + 'v {
    known.files.iter().filter_map(|before| {
        let now = due.files.iter().find(|file| file.file == before.file)?;
        (now.sessions < before.sessions).then_some(())?;
        Some(Fewer {
            name: DiskName::from_disk(&now.name)?,
            known: before.sessions,
            found: now.sessions,
            committed: before.committed_length,
        })
    })
}

/// Puts the metadata of a job in place.
pub(crate) fn write_job_metadata(
    storage: &dyn Storage,
    path: &StoragePath,
    metadata: &Vacm,
) -> Result<(), StorageError> {
    let bytes = metadata.encode().map_err(|error| {
        StorageError::new(
            crate::storage::Action::Replace,
            path.to_string(),
            std::io::Error::other(error),
        )
    })?;
    storage.replace(path, &bytes)
}
