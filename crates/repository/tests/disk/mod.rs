//! A file system in memory that records every call, makes any of them fail, and shows what a
//! crash may leave.
//!
//! What is promised after a crash is what POSIX promises: a file's content up to its last sync,
//! a folder's names up to its last sync, and nothing about the order of anything else.

#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    missing_debug_implementations,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::needless_range_loop,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "shared by several test programs, each of which uses a part"
)]

pub mod crash;
pub mod scenarios;
pub mod workload;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};

use vab_repository::names::DiskName;
use vab_repository::storage::{Access, Entry, EntryKind, FileSystem, Lock, RawFile, StoragePath};

/// One call that changes something, in the order of the calls.
#[derive(Clone, Debug)]
pub enum Change {
    CreateFolder(DiskName),
    SyncFolder(Option<DiskName>),
    Create {
        path: StoragePath,
        inode: usize,
    },
    Write {
        inode: usize,
        offset: u64,
        data: Arc<[u8]>,
    },
    Truncate {
        inode: usize,
        length: u64,
    },
    Sync {
        inode: usize,
    },
    /// A sync that failed: what was not durable is dropped, and nobody will say so again.
    Dropped {
        inode: usize,
    },
    Rename {
        from: StoragePath,
        to: StoragePath,
    },
    Remove {
        path: StoragePath,
    },
}

/// What lies on a disk: folders, names, contents.
#[derive(Clone, Debug, Default)]
pub struct Image {
    pub folders: Vec<DiskName>,
    pub names: BTreeMap<StoragePath, usize>,
    pub files: BTreeMap<usize, Vec<u8>>,
}

impl Image {
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::CreateFolder(folder) => self.folders.push(folder.clone()),
            Change::Create { path, inode } => {
                self.names.insert(path.clone(), *inode);
                self.files.entry(*inode).or_default();
            }
            Change::Write {
                inode,
                offset,
                data,
            } => write(self.files.entry(*inode).or_default(), *offset, data),
            Change::Truncate { inode, length } => {
                self.files
                    .entry(*inode)
                    .or_default()
                    .resize(*length as usize, 0);
            }
            Change::Rename { from, to } => {
                if let Some(inode) = self.names.remove(from) {
                    self.names.insert(to.clone(), inode);
                }
            }
            Change::Remove { path } => {
                self.names.remove(path);
            }
            Change::SyncFolder(_) | Change::Sync { .. } | Change::Dropped { .. } => {}
        }
    }

    pub fn content(&self, path: &StoragePath) -> Option<&Vec<u8>> {
        self.names.get(path).and_then(|inode| self.files.get(inode))
    }

    pub fn content_mut(&mut self, path: &StoragePath) -> Option<&mut Vec<u8>> {
        self.names
            .get(path)
            .and_then(|inode| self.files.get_mut(inode))
    }
}

pub fn write(file: &mut Vec<u8>, offset: u64, data: &[u8]) {
    let offset = offset as usize;
    if file.len() < offset + data.len() {
        file.resize(offset + data.len(), 0);
    }
    file[offset..offset + data.len()].copy_from_slice(data);
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// `EIO`.
    Device,
    /// `ENOSPC`.
    Full,
    /// A write takes only a part, without an error; then `EIO`.
    Short,
}

#[derive(Debug, Default)]
struct State {
    image: Image,
    log: Vec<Change>,
    next_inode: usize,
    /// Calls so far, reading ones included.
    calls: u64,
    reads: u64,
    fail_at: Option<(u64, Failure)>,
    /// Whether the failing call was reached.
    failed: Option<&'static str>,
    recording: bool,
    /// What files had at their last sync.
    synced: BTreeMap<usize, Vec<u8>>,
    /// Files of which a sync failed, and that were not written since: what memory has counts as
    /// written, and is not.
    dropped: BTreeSet<usize>,
}

/// The file system.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk(Arc<Mutex<State>>);

impl MemoryDisk {
    /// An empty disk that records.
    pub fn new() -> Self {
        Self::of(Image::default(), true)
    }

    /// A disk with this content.
    pub fn of(image: Image, recording: bool) -> Self {
        let next_inode = image.files.keys().next_back().map_or(0, |last| last + 1);
        Self(Arc::new(Mutex::new(State {
            next_inode,
            recording,
            synced: image.files.clone(),
            image,
            ..State::default()
        })))
    }

    pub fn image(&self) -> Image {
        self.state().image.clone()
    }

    pub fn log(&self) -> Vec<Change> {
        self.state().log.clone()
    }

    pub fn position(&self) -> usize {
        self.state().log.len()
    }

    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    pub fn reads(&self) -> u64 {
        self.state().reads
    }

    /// Makes the call number `call` from now on fail, counted from 0.
    pub fn fail_at(&self, call: u64, failure: Failure) {
        let mut state = self.state();
        state.fail_at = Some((state.calls + call, failure));
        state.failed = None;
    }

    pub fn failed(&self) -> Option<&'static str> {
        self.state().failed
    }

    pub fn no_failure(&self) {
        self.state().fail_at = None;
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn call(&self, name: &'static str) -> (std::sync::MutexGuard<'_, State>, Option<Failure>) {
        let mut state = self.state();
        let number = state.calls;
        state.calls += 1;
        if name.starts_with("read") {
            state.reads += 1;
        }
        let failure = state
            .fail_at
            .filter(|(at, _)| *at == number)
            .map(|(_, failure)| failure);
        if failure.is_some() {
            state.failed = Some(name);
        }
        (state, failure)
    }

    fn plain(&self, name: &'static str) -> io::Result<std::sync::MutexGuard<'_, State>> {
        let (state, failure) = self.call(name);
        match failure {
            None => Ok(state),
            Some(failure) => Err(error(failure)),
        }
    }
}

fn error(failure: Failure) -> io::Error {
    match failure {
        Failure::Device | Failure::Short => io::Error::from_raw_os_error(5),
        Failure::Full => io::Error::from_raw_os_error(28),
    }
}

impl State {
    fn change(&mut self, change: Change) {
        self.image.apply(&change);
        if self.recording {
            self.log.push(change);
        }
    }

    fn exists(&self, path: &StoragePath) -> io::Result<usize> {
        self.image
            .names
            .get(path)
            .copied()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn folder(&self, folder: Option<&DiskName>) -> io::Result<()> {
        match folder {
            Some(folder) if !self.image.folders.contains(folder) => {
                Err(io::ErrorKind::NotFound.into())
            }
            _ => Ok(()),
        }
    }
}

impl FileSystem for MemoryDisk {
    fn location(&self) -> String {
        "memory".to_owned()
    }

    fn list(&self, folder: Option<&DiskName>) -> io::Result<Vec<Entry>> {
        let state = self.plain("list")?;
        state.folder(folder)?;
        let mut entries: Vec<Entry> = state
            .image
            .names
            .iter()
            .filter(|(path, _)| path.folder() == folder)
            .map(|(path, inode)| Entry {
                name: path.file().clone(),
                kind: EntryKind::File {
                    length: state.image.files[inode].len() as u64,
                },
            })
            .collect();
        if folder.is_none() {
            entries.extend(state.image.folders.iter().map(|name| Entry {
                name: name.clone(),
                kind: EntryKind::Folder,
            }));
        }
        Ok(entries)
    }

    fn create_folder(&self, folder: &DiskName) -> io::Result<()> {
        let mut state = self.plain("create folder")?;
        if state.image.folders.contains(folder) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.change(Change::CreateFolder(folder.clone()));
        Ok(())
    }

    fn sync_folder(&self, folder: Option<&DiskName>) -> io::Result<()> {
        let mut state = self.plain("sync folder")?;
        state.folder(folder)?;
        state.change(Change::SyncFolder(folder.cloned()));
        Ok(())
    }

    fn create(&self, file: &StoragePath) -> io::Result<Arc<dyn RawFile>> {
        let mut state = self.plain("create")?;
        state.folder(file.folder())?;
        if state.image.names.contains_key(file) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let inode = state.next_inode;
        state.next_inode += 1;
        state.change(Change::Create {
            path: file.clone(),
            inode,
        });
        Ok(Arc::new(MemoryFile {
            disk: self.clone(),
            inode,
        }))
    }

    fn open(&self, file: &StoragePath, _access: Access) -> io::Result<Arc<dyn RawFile>> {
        let inode = self.plain("open")?.exists(file)?;
        Ok(Arc::new(MemoryFile {
            disk: self.clone(),
            inode,
        }))
    }

    fn rename(&self, from: &StoragePath, to: &StoragePath) -> io::Result<()> {
        let mut state = self.plain("rename")?;
        state.exists(from)?;
        state.change(Change::Rename {
            from: from.clone(),
            to: to.clone(),
        });
        Ok(())
    }

    fn remove(&self, file: &StoragePath) -> io::Result<()> {
        let mut state = self.plain("remove")?;
        state.exists(file)?;
        state.change(Change::Remove { path: file.clone() });
        Ok(())
    }

    fn lock(&self, _file: &StoragePath) -> io::Result<Option<Box<dyn Lock>>> {
        drop(self.plain("lock")?);
        Ok(Some(Box::new(Held)))
    }

    fn free_bytes(&self) -> io::Result<Option<u64>> {
        drop(self.plain("free space")?);
        Ok(None)
    }
}

#[derive(Debug)]
struct Held;

impl Lock for Held {}

#[derive(Debug)]
struct MemoryFile {
    disk: MemoryDisk,
    inode: usize,
}

impl RawFile for MemoryFile {
    fn length(&self) -> io::Result<u64> {
        let state = self.disk.plain("length")?;
        Ok(state.image.files[&self.inode].len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.plain("read")?;
        let file = &state.image.files[&self.inode];
        let offset = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(file.len());
        let count = buffer.len().min(file.len() - offset);
        buffer[..count].copy_from_slice(&file[offset..offset + count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let (mut state, failure) = self.disk.call("write");
        let mut data = bytes.to_vec();
        match failure {
            None => {}
            Some(Failure::Short) => {
                // What fits goes, and the next call says why no more did.
                data.truncate(data.len() / 2 / 512 * 512);
                let next = state.calls;
                state.fail_at = Some((next, Failure::Device));
                if data.is_empty() {
                    return Err(error(Failure::Device));
                }
            }
            Some(failure) => return Err(error(failure)),
        }
        let written = data.len();
        state.dropped.remove(&self.inode);
        state.change(Change::Write {
            inode: self.inode,
            offset,
            data: data.into(),
        });
        Ok(written)
    }

    /// Memory forgets what counts as written: from now on there is what is on the medium.
    fn start_write_back(&self, _offset: u64, _length: u64) {
        let mut state = self.disk.state();
        if state.dropped.remove(&self.inode) {
            let there = state.synced.get(&self.inode).cloned().unwrap_or_default();
            state.image.files.insert(self.inode, there);
        }
    }

    fn sync(&self) -> io::Result<()> {
        let (mut state, failure) = self.disk.call("sync");
        let inode = self.inode;
        if let Some(failure) = failure {
            state.change(Change::Dropped { inode });
            state.dropped.insert(inode);
            return Err(error(failure));
        }
        if !state.dropped.contains(&inode) {
            let there = state.image.files[&inode].clone();
            state.synced.insert(inode, there);
        }
        state.change(Change::Sync { inode });
        Ok(())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.plain("truncate")?;
        state.change(Change::Truncate {
            inode: self.inode,
            length,
        });
        Ok(())
    }
}
