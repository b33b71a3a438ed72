//! Sessions that were on their way when the server was killed.

use std::collections::BTreeMap;

use vab_format::vab::VabHeader;

use super::{Catalog, Notice, Trust};
use crate::container::VabFile;
use crate::repository::layout::{DATA, NOTE};
use crate::session::{Note, note};
use crate::storage::{Access, Storage, StorageError, StoragePath};

/// A session that was on its way when the server was killed, as far as it was durable.
#[derive(Clone, Debug)]
pub(crate) struct Parked {
    pub(crate) note: Note,
    /// The header of the new file that it began; `None` when it was appended to one.
    pub(crate) new_file: Option<VabHeader>,
}

/// Reads the notes of a folder by the data files they belong to. One that is no note is removed.
pub(super) fn read_notes(
    storage: &dyn Storage,
    paths: impl Iterator<Item = StoragePath>,
) -> Result<BTreeMap<StoragePath, Note>, StorageError> {
    let mut notes = BTreeMap::new();
    for path in paths {
        let bytes = match storage.read(&path, note::LIMIT) {
            Ok(bytes) => bytes.unwrap_or_default(),
            Err(error) if error.is_too_long() => Vec::new(),
            Err(error) => return Err(error),
        };
        match Note::decode(&bytes) {
            Some(note) => {
                notes.insert(path.sibling(DATA), note);
            }
            None => storage.remove(&path)?,
        }
    }
    Ok(notes)
}

/// The new file that a note is of, if it is that file.
pub(super) fn new_file(
    storage: &dyn Storage,
    data: &StoragePath,
    note: Note,
) -> Result<Option<Parked>, StorageError> {
    let Some(file) = storage.open_unpublished(data)? else {
        return Ok(None);
    };
    let length = file.length()?;
    let Ok(vab) = VabFile::open(file) else {
        return Ok(None);
    };
    let header = vab.header;
    let is_of = note.file == header.file
        && note.ordinal == 1
        && note.durable <= length.max(header.data_start);
    Ok(is_of.then_some(Parked {
        note,
        new_file: Some(header),
    }))
}

impl Catalog {
    /// Gives parked sessions up: what is there of them is removed.
    ///
    /// # Errors
    /// When a note cannot be removed; its session stays parked.
    pub(crate) fn give_up(
        &mut self,
        storage: &dyn Storage,
        which: impl Fn(&Parked) -> bool,
        notices: &mut Vec<Notice>,
    ) -> Result<(), StorageError> {
        let parked = self.parked.iter();
        let paths: Vec<_> = parked
            .filter(|(_, parked)| which(parked))
            .map(|(path, _)| path.clone())
            .collect();
        for path in paths {
            // First, so that a crash leaves what is behind it as that of no session.
            storage.remove(&path.sibling(NOTE))?;
            if let Some(parked) = self.parked.remove(&path) {
                self.clean(storage, &path, &parked, notices);
            }
        }
        Ok(())
    }

    /// Removes what a session left that is given up.
    pub(crate) fn clean(
        &mut self,
        storage: &dyn Storage,
        path: &StoragePath,
        parked: &Parked,
        notices: &mut Vec<Notice>,
    ) {
        let cleaned = if parked.new_file.is_some() {
            storage.discard(path)
        } else {
            self.cut_to_committed(storage, path)
        };
        if let Err(error) = cleaned {
            let reason = error.to_string();
            if let Some(file) = self.file_mut(path) {
                file.trust = Trust::ReadOnly(reason.clone());
            }
            notices.push(Notice::NotCleaned {
                file: path.clone(),
                reason,
            });
        }
    }

    fn cut_to_committed(
        &mut self,
        storage: &dyn Storage,
        path: &StoragePath,
    ) -> Result<(), StorageError> {
        let Some(known) = self.file_mut(path) else {
            return Ok(());
        };
        known.writing = false;
        let Trust::Sound(end) = &known.trust else {
            return Ok(());
        };
        let file = storage.open(path, Access::Write)?;
        if file.length()? > end.committed_length {
            file.truncate(end.committed_length)?;
            file.sync()?;
        }
        Ok(())
    }
}
