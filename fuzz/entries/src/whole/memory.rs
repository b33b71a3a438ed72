//! A file system in memory: fast, and nothing is left of it.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vab_repository::names::DiskName;
use vab_repository::storage::{
    Access, Entry, EntryKind, FileSystem, LocalDirectory, Lock, RawFile, StoragePath,
};
use vab_repository::{Repository, RepositoryOptions};

use super::archive::now;

/// No file gets longer: who lets one grow to where a hostile number says is noticed.
const LONGEST: usize = 16 << 20;

type Content = Arc<Mutex<Vec<u8>>>;

/// Folders and files.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<Tree>);

#[derive(Debug, Default)]
struct Tree {
    folders: Vec<DiskName>,
    files: BTreeMap<StoragePath, Content>,
}

impl Memory {
    /// A file system with these files.
    pub(super) fn of(files: impl IntoIterator<Item = (StoragePath, Vec<u8>)>) -> Self {
        let mut tree = Tree::default();
        for (path, content) in files {
            if let Some(folder) = path.folder()
                && !tree.folders.contains(folder)
            {
                tree.folders.push(folder.clone());
            }
            tree.files.insert(path, Arc::new(Mutex::new(content)));
        }
        Self(Mutex::new(tree))
    }

    /// Every file with its content.
    pub(super) fn files(&self) -> BTreeMap<StoragePath, Vec<u8>> {
        let tree = self.tree();
        let files = tree.files.iter();
        files
            .map(|(path, content)| (path.clone(), lock(content).clone()))
            .collect()
    }

    /// A server's repository on it.
    pub(super) fn open_for_writing(self: &Arc<Self>) -> Repository {
        self.open_noting(RepositoryOptions::default().note_interval)
    }

    /// That of a server that writes the notes of sessions anew every so many bytes.
    pub(super) fn open_noting(self: &Arc<Self>, note_interval: u64) -> Repository {
        let mut options = RepositoryOptions::default();
        options.note_interval = note_interval;
        Repository::open_on(self.storage(), options, now()).expect("damage is no failure")
    }

    /// A reader's.
    pub(super) fn open_for_reading(self: &Arc<Self>) -> Repository {
        Repository::open_read_only_on(self.storage()).expect("damage is no failure")
    }

    fn storage(self: &Arc<Self>) -> Arc<LocalDirectory> {
        Arc::new(LocalDirectory::over(Arc::<Self>::clone(self) as Arc<_>))
    }

    fn tree(&self) -> MutexGuard<'_, Tree> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lock(content: &Content) -> MutexGuard<'_, Vec<u8>> {
    content.lock().unwrap_or_else(PoisonError::into_inner)
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl FileSystem for Memory {
    fn location(&self) -> String {
        "memory".to_owned()
    }

    fn list(&self, folder: Option<&DiskName>) -> io::Result<Vec<Entry>> {
        let tree = self.tree();
        if folder.is_some_and(|folder| !tree.folders.contains(folder)) {
            return Err(not_found());
        }
        let files = tree.files.iter();
        let mut entries: Vec<Entry> = files
            .filter(|(path, _)| path.folder() == folder)
            .map(|(path, content)| Entry {
                name: path.file().clone(),
                kind: EntryKind::File {
                    length: lock(content).len() as u64,
                },
            })
            .collect();
        if folder.is_none() {
            entries.extend(tree.folders.iter().map(|name| Entry {
                name: name.clone(),
                kind: EntryKind::Folder,
            }));
        }
        Ok(entries)
    }

    fn create_folder(&self, folder: &DiskName) -> io::Result<()> {
        let mut tree = self.tree();
        if tree.folders.contains(folder) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        tree.folders.push(folder.clone());
        Ok(())
    }

    fn sync_folder(&self, _: Option<&DiskName>) -> io::Result<()> {
        Ok(())
    }

    fn create(&self, file: &StoragePath) -> io::Result<Arc<dyn RawFile>> {
        let mut tree = self.tree();
        if tree.files.contains_key(file) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let content = Content::default();
        tree.files.insert(file.clone(), Arc::clone(&content));
        Ok(Arc::new(MemoryFile(content)))
    }

    fn open(&self, file: &StoragePath, _: Access) -> io::Result<Arc<dyn RawFile>> {
        let tree = self.tree();
        let content = tree.files.get(file).ok_or_else(not_found)?;
        Ok(Arc::new(MemoryFile(Arc::clone(content))))
    }

    fn rename(&self, from: &StoragePath, to: &StoragePath) -> io::Result<()> {
        let mut tree = self.tree();
        let content = tree.files.remove(from).ok_or_else(not_found)?;
        tree.files.insert(to.clone(), content);
        Ok(())
    }

    fn remove(&self, file: &StoragePath) -> io::Result<()> {
        self.tree()
            .files
            .remove(file)
            .map(drop)
            .ok_or_else(not_found)
    }

    fn lock(&self, _: &StoragePath) -> io::Result<Option<Box<dyn Lock>>> {
        Ok(Some(Box::new(Held)))
    }

    fn free_bytes(&self) -> io::Result<Option<u64>> {
        Ok(None)
    }
}

#[derive(Debug)]
struct Held;

impl Lock for Held {}

#[derive(Debug)]
struct MemoryFile(Content);

impl RawFile for MemoryFile {
    fn length(&self) -> io::Result<u64> {
        Ok(lock(&self.0).len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let content = lock(&self.0);
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = content.get(offset..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut content = lock(&self.0);
        let at = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = at.saturating_add(bytes.len());
        if end > LONGEST {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if content.len() < end {
            content.resize(end, 0);
        }
        if let Some(place) = content.get_mut(at..end) {
            place.copy_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn start_write_back(&self, _: u64, _: u64) {}

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(LONGEST);
        lock(&self.0).resize(length, 0);
        Ok(())
    }
}
