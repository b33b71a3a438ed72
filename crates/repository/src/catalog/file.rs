//! One data file and its metadata, brought together.

use vab_chain::{CurrentFile, FileSettings, UtcTime};
use vab_format::FORMAT_VERSION;
use vab_format::vab::End;
use vab_format::vasm::{StoredSession, Vasm};

use super::{Mode, Notice};
use crate::container::{
    FoundCommit, ReadError, Tail, VabFile, find_tail, last_commit_at, undamaged,
};
use crate::repository::layout::FILE_METADATA;
use crate::session::Note;
use crate::storage::{Access, Storage, StorageError, StorageErrorKind, StoragePath};

/// The longest `.VASM` that is read, in bytes.
pub(crate) const METADATA_LIMIT: u64 = 512 << 20;

/// A data file and its sessions.
#[derive(Clone, Debug)]
pub(crate) struct StoredFile {
    pub(crate) path: StoragePath,
    pub(crate) metadata: Vasm,
    pub(crate) trust: Trust,
    /// A session is being appended, or can be taken up.
    pub(crate) writing: bool,
    /// The disk failed while it was written: it is not written again before a restart.
    pub(crate) failed: bool,
    /// The metadata on disk is behind.
    pub(crate) late: bool,
}

/// Whether a file may be appended to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// It may, behind this end.
    Sound(Box<End>),
    /// It is damaged, or its disk failed: it is read, and never written again.
    ReadOnly(String),
}

impl StoredFile {
    /// What the rule for new files asks about it.
    pub(crate) fn current(&self) -> CurrentFile {
        let header = &self.metadata.header;
        CurrentFile {
            created: UtcTime::from_micros(header.created),
            settings: FileSettings {
                encrypted: header.features.is_encrypted(),
                format_version: FORMAT_VERSION,
            },
        }
    }
}

/// Loads a data file; the inner error says why neither it nor its metadata can be used. It is
/// marked as being written when `note` is that of the session behind its committed end.
///
/// # Errors
/// When the disk fails.
pub(crate) fn load_file(
    storage: &dyn Storage,
    path: &StoragePath,
    mode: Mode,
    note: Option<&Note>,
    notices: &mut Vec<Notice>,
) -> Result<Result<StoredFile, String>, StorageError> {
    let metadata_path = path.sibling(FILE_METADATA);
    let (metadata, mut wrong) = read_metadata(storage, &metadata_path)?;
    let vab = match VabFile::open(storage.open(path, Access::Read)?) {
        Ok(vab) => vab,
        Err(ReadError::Storage(error)) => return Err(error),
        Err(error) => {
            notices.push(Notice::Damaged {
                file: path.clone(),
                reason: error.to_string(),
            });
            // The metadata repeats the header, so the sessions can still be read.
            let trust = Trust::ReadOnly(error.to_string());
            let stored = metadata.map(|metadata| stored(path, metadata, trust));
            return Ok(stored.ok_or_else(|| error.to_string()));
        }
    };
    let metadata = metadata.filter(|metadata| {
        let same = metadata.header == vab.header;
        if !same {
            wrong = Some("it belongs to another file".to_owned());
        }
        same
    });
    if let Some(metadata) = metadata {
        with_metadata(storage, path, &vab, metadata, mode, note, notices)
    } else {
        let reason = wrong.unwrap_or_else(|| "it was not there".to_owned());
        without_metadata(storage, path, &vab, reason, mode, notices)
    }
    .map(Ok)
    .map_err(storage_error)
}

fn read_metadata(
    storage: &dyn Storage,
    path: &StoragePath,
) -> Result<(Option<Vasm>, Option<String>), StorageError> {
    let bytes = match storage.read(path, METADATA_LIMIT) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok((None, None)),
        Err(error) if matches!(error.kind, StorageErrorKind::TooLong { .. }) => {
            return Ok((None, Some(error.to_string())));
        }
        Err(error) => return Err(error),
    };
    Ok(match Vasm::decode(&bytes) {
        Ok(metadata) => (Some(metadata), None),
        Err(error) => (None, Some(error.to_string())),
    })
}

/// The usual case: the metadata says what was committed at least.
fn with_metadata(
    storage: &dyn Storage,
    path: &StoragePath,
    vab: &VabFile,
    mut metadata: Vasm,
    mode: Mode,
    note: Option<&Note>,
    notices: &mut Vec<Notice>,
) -> Result<StoredFile, ReadError> {
    let known = metadata.sessions.len() as u64;
    let tail = match tail_behind(vab, &metadata, mode)? {
        Ok(tail) => tail,
        Err(reason) => {
            notices.push(Notice::Damaged {
                file: path.clone(),
                reason: reason.clone(),
            });
            return Ok(stored(path, metadata, Trust::ReadOnly(reason)));
        }
    };
    if tail.end.sessions > known {
        let Some(sessions) = sessions_behind(vab, &tail, known)? else {
            let reason = "a commit record before the last cannot be read".to_owned();
            notices.push(Notice::Damaged {
                file: path.clone(),
                reason: reason.clone(),
            });
            return Ok(stored(path, metadata, Trust::ReadOnly(reason)));
        };
        metadata.sessions.extend(sessions);
    }
    let mut file = stored(path, metadata, Trust::Sound(Box::new(tail.end.clone())));
    if mode != Mode::Read {
        if mode.rebuild().files {
            if let Some(sessions) = sessions_behind(vab, &tail, 0)? {
                file.metadata.sessions = sessions;
            }
            finish_commit(storage, &mut file, &tail, "as asked".to_owned(), notices);
        } else if tail.end.sessions > known {
            let reason = format!("it lacked {} restore points", tail.end.sessions - known);
            finish_commit(storage, &mut file, &tail, reason, notices);
        }
        // Never behind metadata that could not be brought up to date: what it does not know of
        // must not be cut.
        file.writing = note.is_some_and(|note| is_behind(note, &tail) && !file.late);
        if tail.file_length > tail.end.committed_length && !file.late && !file.writing {
            cut(storage, &mut file, &tail, notices);
        }
    }
    Ok(file)
}

/// Whether a note is of the session behind the committed end.
fn is_behind(note: &Note, tail: &Tail) -> bool {
    let end = &tail.end;
    note.file == end.file
        && note.ordinal == end.sessions.saturating_add(1)
        && (end.committed_length..=tail.file_length).contains(&note.durable)
}

/// The end of a file whose metadata is sound; the inner error says why it cannot be told.
fn tail_behind(
    vab: &VabFile,
    metadata: &Vasm,
    mode: Mode,
) -> Result<Result<Tail, String>, ReadError> {
    let committed = metadata.committed_length();
    let file_length = vab.file.length()?;
    if file_length < committed {
        return Ok(Err(format!(
            "{file_length} bytes are there, {committed} were committed"
        )));
    }
    let known = metadata.sessions.len() as u64;
    let Some(last) = metadata.sessions.last() else {
        return find_tail(vab, None).map(Ok);
    };
    if file_length > committed
        && let Some(newer) = last_commit_at(vab, file_length)?
        && newer.position.ordinal > known
    {
        let end = End::after(&newer.commit, &newer.position, newer.length);
        return Ok(Ok(Tail {
            end,
            last: Some(newer),
            file_length,
        }));
    }
    let position = metadata.commit_position(known);
    let found = match position {
        Some(position) => undamaged(vab.commit_at(position))?,
        None => None,
    };
    let agrees = |found: &FoundCommit| {
        found.length == last.commit_length && found.commit.session == last.record
    };
    match found.filter(agrees) {
        Some(found) => {
            let end = End::after(&found.commit, &found.position, found.length);
            if mode == Mode::Read {
                // A session may be on its way; what is not committed yet is not looked at.
                return Ok(Ok(Tail {
                    end,
                    last: Some(found),
                    file_length,
                }));
            }
            find_tail(vab, Some(&end)).map(|mut tail| {
                tail.last.get_or_insert(found);
                Ok(tail)
            })
        }
        None => Ok(Err(
            "the last commit record is not the one that the .VASM lists".to_owned(),
        )),
    }
}

/// Without metadata the data has to say all.
fn without_metadata(
    storage: &dyn Storage,
    path: &StoragePath,
    vab: &VabFile,
    reason: String,
    mode: Mode,
    notices: &mut Vec<Notice>,
) -> Result<StoredFile, ReadError> {
    let tail = find_tail(vab, None)?;
    let mut metadata = Vasm::of_new(vab.header.clone());
    let sessions = sessions_behind(vab, &tail, 0)?;
    let whole = sessions.is_some() && tail.file_length == tail.end.committed_length;
    metadata.sessions = sessions.unwrap_or_default();
    if !whole || metadata.sessions.is_empty() {
        // Perhaps a session that was never committed, perhaps a damaged one: nothing is cut or
        // overwritten on a guess.
        let why = format!(
            "its .VASM cannot be used ({reason}), and from byte {} on nothing committed is found",
            tail.end.committed_length
        );
        notices.push(Notice::Damaged {
            file: path.clone(),
            reason: why.clone(),
        });
        return Ok(stored(path, metadata, Trust::ReadOnly(why)));
    }
    let mut file = stored(path, metadata, Trust::Sound(Box::new(tail.end.clone())));
    if mode != Mode::Read {
        finish_commit(storage, &mut file, &tail, reason, notices);
    }
    Ok(file)
}

/// The sessions behind the first `known` ones; `None` when one of them cannot be read.
fn sessions_behind(
    vab: &VabFile,
    tail: &Tail,
    known: u64,
) -> Result<Option<Vec<StoredSession>>, ReadError> {
    let mut sessions = Vec::new();
    let mut here = tail.last.clone();
    while let Some(found) = here {
        let FoundCommit {
            commit,
            position,
            length,
        } = &found;
        if position.ordinal <= known {
            break;
        }
        sessions.push(StoredSession::of(commit, position, *length));
        let before = position.ordinal - 1;
        if before == known {
            break;
        }
        here = match undamaged(vab.commit_before(found, before))? {
            Some(found) if found.position.ordinal == before => Some(found),
            _ => return Ok(None),
        };
    }
    sessions.reverse();
    Ok(Some(sessions))
}

/// Finishes a commit whose metadata was not written.
///
/// The record is written once more as it is: if its sync had failed before, the system may have
/// forgotten that it is not on the medium.
fn finish_commit(
    storage: &dyn Storage,
    file: &mut StoredFile,
    tail: &Tail,
    reason: String,
    notices: &mut Vec<Notice>,
) {
    let path = file.path.sibling(FILE_METADATA);
    let finished = (|| {
        if let Some(last) = &tail.last {
            let data = storage.open(&file.path, Access::Write)?;
            let mut record = vec![0; usize::try_from(last.length).unwrap_or_default()];
            data.read_at(&mut record, last.position.offset)?;
            data.write_at(&record, last.position.offset)?;
            data.sync()?;
        }
        write_file_metadata(storage, file)
    })();
    match finished {
        Ok(()) => notices.push(Notice::RebuiltFileMetadata { file: path, reason }),
        Err(error) => {
            file.late = true;
            notices.push(Notice::MetadataLate {
                file: path,
                reason: error.to_string(),
            });
        }
    }
}

/// Cuts what is behind the committed end.
fn cut(storage: &dyn Storage, file: &mut StoredFile, tail: &Tail, notices: &mut Vec<Notice>) {
    let length = tail.end.committed_length;
    let cut = storage
        .open(&file.path, Access::Write)
        .and_then(|data| data.truncate(length).and_then(|()| data.sync()));
    let path = file.path.clone();
    notices.push(match cut {
        Ok(()) => Notice::CutTail {
            file: path,
            bytes: tail.file_length - length,
        },
        Err(error) => {
            file.trust = Trust::ReadOnly(error.to_string());
            Notice::NotCleaned {
                file: path,
                reason: error.to_string(),
            }
        }
    });
}

/// Puts the metadata of a file beside it.
pub(crate) fn write_file_metadata(
    storage: &dyn Storage,
    file: &StoredFile,
) -> Result<(), StorageError> {
    let path = file.path.sibling(FILE_METADATA);
    let bytes = file.metadata.encode().map_err(|error| {
        StorageError::new(
            crate::storage::Action::Replace,
            path.to_string(),
            std::io::Error::other(error),
        )
    })?;
    storage.replace(&path, &bytes)
}

fn stored(path: &StoragePath, metadata: Vasm, trust: Trust) -> StoredFile {
    StoredFile {
        path: path.clone(),
        metadata,
        trust,
        writing: false,
        failed: false,
        late: false,
    }
}

fn storage_error(error: ReadError) -> StorageError {
    match error {
        ReadError::Storage(error) => error,
        // Damage was taken care of where it was found.
        other => StorageError::new(
            crate::storage::Action::Read,
            "repository",
            std::io::Error::other(other),
        ),
    }
}
