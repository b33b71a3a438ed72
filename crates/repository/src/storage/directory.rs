//! A repository in a folder.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::{
    Access, Action, DataFile, EntryKind, FileSystem, HostFileSystem, Listed, Lock, RawFile,
    Storage, StorageError, StorageErrorKind, StoragePath,
};
use crate::names::DiskName;

/// Appended to the name of a file while its next version is written.
pub(crate) const TEMPORARY: &str = "tmp";
/// Appended to the name of a data file until it is published.
pub(crate) const UNPUBLISHED: &str = "part";

/// A folder of a file system, with everything durable that is said to be.
#[derive(Clone, Debug)]
pub struct LocalDirectory {
    system: Arc<dyn FileSystem>,
}

impl LocalDirectory {
    /// A folder of this machine.
    pub fn new(root: impl AsRef<Path>) -> Self {
        Self::over(Arc::new(HostFileSystem::new(root.as_ref())))
    }

    /// A folder of any file system.
    pub fn over(system: Arc<dyn FileSystem>) -> Self {
        Self { system }
    }

    fn error(
        &self,
        action: Action,
        path: Option<&dyn std::fmt::Display>,
        source: io::Error,
    ) -> StorageError {
        let location = self.system.location();
        let path = match path {
            Some(path) => format!("{location}/{path}"),
            None => location,
        };
        StorageError::new(action, path, source)
    }

    fn on<'a, P: std::fmt::Display>(
        &'a self,
        action: Action,
        path: &'a P,
    ) -> impl Fn(io::Error) -> StorageError + 'a {
        move |source| self.error(action, Some(path), source)
    }

    /// Makes the names of a folder durable, or those of the root.
    fn sync_names(&self, folder: Option<&DiskName>) -> Result<(), StorageError> {
        self.system
            .sync_folder(folder)
            .map_err(|e| self.error(Action::Sync, folder.map(|f| f as &dyn std::fmt::Display), e))
    }

    fn file(&self, path: &StoragePath, raw: Arc<dyn RawFile>) -> LocalFile {
        let shown = format!("{}/{path}", self.system.location());
        LocalFile {
            path: path.clone(),
            shown,
            raw,
        }
    }
}

impl Storage for LocalDirectory {
    fn location(&self) -> String {
        self.system.location()
    }

    fn can_append(&self) -> bool {
        true
    }

    fn folders(&self) -> Result<Vec<DiskName>, StorageError> {
        let entries = self
            .system
            .list(None)
            .map_err(|e| self.error(Action::List, None, e))?;
        Ok(entries
            .into_iter()
            .filter(|entry| entry.kind == EntryKind::Folder)
            .map(|entry| entry.name)
            .collect())
    }

    fn files(&self, folder: Option<&DiskName>) -> Result<Vec<Listed>, StorageError> {
        let entries = match self.system.list(folder) {
            Err(error) if folder.is_some() && error.kind() == io::ErrorKind::NotFound => {
                return Ok(Vec::new());
            }
            other => other.map_err(|e| {
                self.error(Action::List, folder.map(|f| f as &dyn std::fmt::Display), e)
            })?,
        };
        Ok(entries
            .into_iter()
            .filter_map(|entry| match entry.kind {
                EntryKind::File { length } => Some(Listed {
                    name: entry.name,
                    length,
                }),
                EntryKind::Folder | EntryKind::Other => None,
            })
            .collect())
    }

    fn create_folder(&self, folder: &DiskName) -> Result<(), StorageError> {
        match self.system.create_folder(folder) {
            // Created by a run that crashed before the name was durable, perhaps.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => other.map_err(self.on(Action::Create, folder))?,
        }
        self.system
            .sync_folder(None)
            .map_err(|e| self.error(Action::Sync, None, e))
    }

    fn read(&self, file: &StoragePath, limit: u64) -> Result<Option<Vec<u8>>, StorageError> {
        let raw = match self.system.open(file, Access::Read) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(self.on(Action::Open, file))?,
        };
        let length = raw.length().map_err(self.on(Action::Inquire, file))?;
        let length = match usize::try_from(length) {
            Ok(fits) if length <= limit => fits,
            _ => {
                let mut error =
                    self.on(Action::Read, file)(io::Error::from(io::ErrorKind::InvalidData));
                error.kind = StorageErrorKind::TooLong { limit };
                return Err(error);
            }
        };
        let mut content = vec![0; length];
        let found = read_full(&*raw, &mut content, 0).map_err(self.on(Action::Read, file))?;
        content.truncate(found);
        Ok(Some(content))
    }

    fn replace(&self, file: &StoragePath, content: &[u8]) -> Result<(), StorageError> {
        let temporary = file.extended(TEMPORARY);
        // A left-over of a crash; what is in it was never in place.
        match self.system.remove(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(self.on(Action::Remove, &temporary)(error));
            }
            _ => {}
        }
        let raw = self
            .system
            .create(&temporary)
            .map_err(self.on(Action::Create, &temporary))?;
        write_full(&*raw, content, 0).map_err(self.on(Action::Write, &temporary))?;
        raw.sync().map_err(self.on(Action::Sync, &temporary))?;
        drop(raw);
        self.system
            .rename(&temporary, file)
            .map_err(self.on(Action::Replace, file))?;
        self.sync_names(file.folder())
    }

    fn remove(&self, file: &StoragePath) -> Result<(), StorageError> {
        match self.system.remove(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => other.map_err(self.on(Action::Remove, file))?,
        }
        self.sync_names(file.folder())
    }

    fn create(&self, file: &StoragePath) -> Result<Arc<dyn DataFile>, StorageError> {
        let part = file.extended(UNPUBLISHED);
        let raw = self
            .system
            .create(&part)
            .map_err(self.on(Action::Create, &part))?;
        Ok(Arc::new(self.file(file, raw)))
    }

    fn publish(&self, file: &StoragePath) -> Result<(), StorageError> {
        let part = file.extended(UNPUBLISHED);
        self.system
            .rename(&part, file)
            .map_err(self.on(Action::Replace, file))?;
        self.sync_names(file.folder())
    }

    fn discard(&self, file: &StoragePath) -> Result<(), StorageError> {
        self.remove(&file.extended(UNPUBLISHED))
    }

    fn open_unpublished(
        &self,
        file: &StoragePath,
    ) -> Result<Option<Arc<dyn DataFile>>, StorageError> {
        let part = file.extended(UNPUBLISHED);
        match self.system.open(&part, Access::Write) {
            Ok(raw) => Ok(Some(Arc::new(self.file(file, raw)))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.on(Action::Open, &part)(error)),
        }
    }

    fn open(&self, file: &StoragePath, access: Access) -> Result<Arc<dyn DataFile>, StorageError> {
        let raw = self
            .system
            .open(file, access)
            .map_err(self.on(Action::Open, file))?;
        Ok(Arc::new(self.file(file, raw)))
    }

    fn lock(&self, file: &StoragePath) -> Result<Option<Box<dyn Lock>>, StorageError> {
        self.system.lock(file).map_err(self.on(Action::Lock, file))
    }

    fn free_bytes(&self) -> Result<Option<u64>, StorageError> {
        self.system
            .free_bytes()
            .map_err(|e| self.error(Action::Inquire, None, e))
    }
}

#[derive(Debug)]
struct LocalFile {
    path: StoragePath,
    shown: String,
    raw: Arc<dyn RawFile>,
}

impl LocalFile {
    fn on(&self, action: Action) -> impl Fn(io::Error) -> StorageError + '_ {
        move |source| StorageError::new(action, self.shown.clone(), source)
    }
}

impl DataFile for LocalFile {
    fn path(&self) -> &StoragePath {
        &self.path
    }

    fn length(&self) -> Result<u64, StorageError> {
        self.raw.length().map_err(self.on(Action::Inquire))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, StorageError> {
        read_full(&*self.raw, buffer, offset).map_err(self.on(Action::Read))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), StorageError> {
        write_full(&*self.raw, bytes, offset).map_err(self.on(Action::Write))
    }

    fn start_write_back(&self, offset: u64, length: u64) {
        self.raw.start_write_back(offset, length);
    }

    fn sync(&self) -> Result<(), StorageError> {
        self.raw.sync().map_err(self.on(Action::Sync))
    }

    fn truncate(&self, length: u64) -> Result<(), StorageError> {
        self.raw.truncate(length).map_err(self.on(Action::Truncate))
    }
}

/// Reads until `buffer` is full or the file ends.
fn read_full(raw: &dyn RawFile, buffer: &mut [u8], mut offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match raw.read_at(rest, offset) {
            Ok(0) => break,
            Ok(count) => {
                filled += count;
                offset += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Writes all of `bytes`; a system may write less than it was given.
fn write_full(raw: &dyn RawFile, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = match raw.write_at(bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        offset += count as u64;
        bytes = bytes.get(count..).unwrap_or_default();
    }
    Ok(())
}
