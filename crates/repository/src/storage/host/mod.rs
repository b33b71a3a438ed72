//! The file system of this machine.

mod direct;
#[cfg(unix)]
#[path = "unix.rs"]
mod sys;
#[cfg(windows)]
#[path = "windows.rs"]
mod sys;
#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::direct::Direct;
use super::{Access, Entry, EntryKind, FileSystem, Lock, RawFile, StoragePath};
use crate::names::DiskName;

/// A folder of this machine. The folder must be there.
#[derive(Debug)]
pub struct HostFileSystem {
    root: PathBuf,
    direct: bool,
}

impl HostFileSystem {
    /// The file system under `root`, through the system's page cache.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            direct: false,
        }
    }

    /// Whether calls of 128 KiB and more go past the page cache: on Linux, on ext4 and XFS.
    /// Elsewhere nothing changes.
    #[must_use]
    pub const fn with_direct_io(mut self, direct: bool) -> Self {
        self.direct = direct;
        self
    }

    fn direct(&self, path: &Path, access: Access) -> Option<Direct> {
        self.direct.then(|| Direct::open(path, access)).flatten()
    }

    fn folder(&self, folder: Option<&DiskName>) -> PathBuf {
        match folder {
            Some(folder) => self.root.join(folder.as_str()),
            None => self.root.clone(),
        }
    }

    fn path(&self, file: &StoragePath) -> PathBuf {
        self.folder(file.folder()).join(file.file().as_str())
    }
}

impl FileSystem for HostFileSystem {
    fn location(&self) -> String {
        self.root.display().to_string()
    }

    fn list(&self, folder: Option<&DiskName>) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let path = self.folder(folder);
        let listed = fs::read_dir(&path).map_err(|error| {
            // Systems have different words for it.
            if path.is_file() {
                io::ErrorKind::NotADirectory.into()
            } else {
                error
            }
        });
        for entry in listed? {
            let entry = entry?;
            // A name no repository could have given is not one of its files.
            let Some(name) = entry.file_name().to_str().and_then(DiskName::from_disk) else {
                continue;
            };
            let kind = match sys::patiently(|| fs::metadata(entry.path())) {
                Ok(metadata) if metadata.is_dir() => EntryKind::Folder,
                Ok(metadata) if metadata.is_file() => EntryKind::File {
                    length: metadata.len(),
                },
                Ok(_) => EntryKind::Other,
                // Removed, or replaced, while the folder was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            entries.push(Entry { name, kind });
        }
        Ok(entries)
    }

    fn create_folder(&self, folder: &DiskName) -> io::Result<()> {
        fs::create_dir(self.root.join(folder.as_str()))
    }

    fn sync_folder(&self, folder: Option<&DiskName>) -> io::Result<()> {
        sys::sync_folder(&self.folder(folder))
    }

    fn create(&self, file: &StoragePath) -> io::Result<Arc<dyn RawFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        let path = self.path(file);
        let file = sys::patiently(|| options.open(&path))?;
        Ok(Arc::new(HostFile {
            file,
            direct: self.direct(&path, Access::Write),
        }))
    }

    fn open(&self, file: &StoragePath, access: Access) -> io::Result<Arc<dyn RawFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(access == Access::Write);
        let path = self.path(file);
        let file = sys::patiently(|| options.open(&path))?;
        let direct = self.direct(&path, access);
        Ok(Arc::new(HostFile { file, direct }))
    }

    fn rename(&self, from: &StoragePath, to: &StoragePath) -> io::Result<()> {
        let (from, to) = (self.path(from), self.path(to));
        sys::patiently(|| fs::rename(&from, &to))
    }

    fn remove(&self, file: &StoragePath) -> io::Result<()> {
        let path = self.path(file);
        sys::patiently(|| fs::remove_file(&path))
    }

    fn lock(&self, file: &StoragePath) -> io::Result<Option<Box<dyn Lock>>> {
        let lock = sys::lock(&self.path(file))?;
        Ok(lock.map(|file| Box::new(HostLock { _file: file }) as Box<dyn Lock>))
    }

    fn free_bytes(&self) -> io::Result<Option<u64>> {
        sys::free_bytes(&self.root)
    }
}

/// The system drops the lock with the handle, however the process ends.
#[derive(Debug)]
struct HostLock {
    _file: File,
}

impl Lock for HostLock {}

#[derive(Debug)]
struct HostFile {
    file: File,
    direct: Option<Direct>,
}

impl RawFile for HostFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let direct = self.direct.as_ref();
        direct
            .and_then(|direct| direct.read_at(buffer, offset))
            .unwrap_or_else(|| sys::read_at(&self.file, buffer, offset))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let direct = self.direct.as_ref();
        direct
            .and_then(|direct| direct.write_at(bytes, offset))
            .unwrap_or_else(|| sys::write_at(&self.file, bytes, offset))
    }

    fn start_write_back(&self, offset: u64, length: u64) {
        sys::start_write_back(&self.file, offset, length);
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }
}
