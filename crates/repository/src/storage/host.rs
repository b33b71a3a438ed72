//! The file system of this machine.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Access, Entry, EntryKind, FileSystem, Lock, RawFile, StoragePath};
use crate::names::DiskName;

/// A folder of this machine. The folder must be there.
#[derive(Debug)]
pub struct HostFileSystem {
    root: PathBuf,
}

impl HostFileSystem {
    /// The file system under `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
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
        for entry in fs::read_dir(self.folder(folder))? {
            let entry = entry?;
            // A name no repository could have given is not one of its files.
            let Some(name) = entry.file_name().to_str().and_then(DiskName::from_disk) else {
                continue;
            };
            let kind = match fs::metadata(entry.path()) {
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
        sync_folder(&self.folder(folder))
    }

    fn create(&self, file: &StoragePath) -> io::Result<Arc<dyn RawFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(self.path(file))?;
        Ok(Arc::new(HostFile(file)))
    }

    fn open(&self, file: &StoragePath, access: Access) -> io::Result<Arc<dyn RawFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(access == Access::Write)
            .open(self.path(file))?;
        Ok(Arc::new(HostFile(file)))
    }

    fn rename(&self, from: &StoragePath, to: &StoragePath) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, file: &StoragePath) -> io::Result<()> {
        fs::remove_file(self.path(file))
    }

    fn lock(&self, file: &StoragePath) -> io::Result<Option<Box<dyn Lock>>> {
        let lock = lock(&self.path(file))?;
        Ok(lock.map(|file| Box::new(HostLock { _file: file }) as Box<dyn Lock>))
    }

    fn free_bytes(&self) -> io::Result<Option<u64>> {
        free_bytes(&self.root)
    }
}

/// The system drops the lock with the handle, however the process ends.
#[derive(Debug)]
struct HostLock {
    _file: File,
}

impl Lock for HostLock {}

#[derive(Debug)]
struct HostFile(File);

impl RawFile for HostFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        read_at(&self.0, buffer, offset)
    }

    fn write_at(&self, parts: &[&[u8]], offset: u64) -> io::Result<usize> {
        write_at(&self.0, parts, offset)
    }

    fn start_write_back(&self, offset: u64, length: u64) {
        start_write_back(&self.0, offset, length);
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(unix)]
fn lock(path: &Path) -> io::Result<Option<File>> {
    use rustix::fs::{FlockOperation, flock};

    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(unix)]
fn free_bytes(path: &Path) -> io::Result<Option<u64>> {
    let status = rustix::fs::statvfs(path)?;
    Ok(Some(status.f_bavail.saturating_mul(status.f_frsize)))
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(target_os = "linux")]
fn write_at(file: &File, parts: &[&[u8]], offset: u64) -> io::Result<usize> {
    let parts: Vec<_> = parts.iter().map(|part| io::IoSlice::new(part)).collect();
    Ok(rustix::io::pwritev(file, &parts, offset)?)
}

#[cfg(all(unix, not(target_os = "linux")))]
fn write_at(file: &File, parts: &[&[u8]], offset: u64) -> io::Result<usize> {
    let first = parts.first().copied().unwrap_or_default();
    std::os::unix::fs::FileExt::write_at(file, first, offset)
}

/// Linux starts to write a range that it is told will not be needed, and drops what is clean.
#[cfg(target_os = "linux")]
fn start_write_back(file: &File, offset: u64, length: u64) {
    use rustix::fs::{Advice, fadvise};

    if let Some(length) = std::num::NonZeroU64::new(length) {
        // A hint: the sync at the commit finds what went wrong.
        let _ = fadvise(file, offset, Some(length), Advice::DontNeed);
    }
}

#[cfg(not(target_os = "linux"))]
fn start_write_back(_file: &File, _offset: u64, _length: u64) {}

#[cfg(windows)]
fn sync_folder(path: &Path) -> io::Result<()> {
    use std::os::windows::fs::OpenOptionsExt;

    const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
    let folder = OpenOptions::new()
        .write(true)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS)
        .open(path)?;
    folder.sync_all()
}

#[cfg(windows)]
fn lock(path: &Path) -> io::Result<Option<File>> {
    use std::os::windows::fs::OpenOptionsExt;

    const ERROR_SHARING_VIOLATION: i32 = 32;
    match OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .share_mode(0)
        .open(path)
    {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.raw_os_error() == Some(ERROR_SHARING_VIOLATION) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(windows)]
fn free_bytes(_path: &Path) -> io::Result<Option<u64>> {
    Ok(None)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

#[cfg(windows)]
fn write_at(file: &File, parts: &[&[u8]], offset: u64) -> io::Result<usize> {
    let first = parts.first().copied().unwrap_or_default();
    std::os::windows::fs::FileExt::seek_write(file, first, offset)
}
