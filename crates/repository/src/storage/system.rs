//! The single calls that reach the disk.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::{Lock, StoragePath};
use crate::names::DiskName;

/// A file system below [`LocalDirectory`](super::LocalDirectory), one method per call.
///
/// The methods promise what POSIX promises and no more: a write is durable after a sync of its
/// file, a name after a sync of its folder.
pub trait FileSystem: Send + Sync + fmt::Debug {
    /// Where this is, for messages.
    fn location(&self) -> String;

    /// What is in a folder, or in the root.
    ///
    /// # Errors
    /// As the system gives it; `NotFound` when there is no such folder.
    fn list(&self, folder: Option<&DiskName>) -> io::Result<Vec<Entry>>;

    /// Creates a folder in the root.
    ///
    /// # Errors
    /// As the system gives it; `AlreadyExists` when it is there.
    fn create_folder(&self, folder: &DiskName) -> io::Result<()>;

    /// Makes the names in a folder durable, or those in the root.
    ///
    /// # Errors
    /// As the system gives it.
    fn sync_folder(&self, folder: Option<&DiskName>) -> io::Result<()>;

    /// Creates a file and opens it for reading and writing.
    ///
    /// # Errors
    /// As the system gives it; `AlreadyExists` when it is there.
    fn create(&self, file: &StoragePath) -> io::Result<Arc<dyn RawFile>>;

    /// Opens a file.
    ///
    /// # Errors
    /// As the system gives it; `NotFound` when it is not there.
    fn open(&self, file: &StoragePath, access: Access) -> io::Result<Arc<dyn RawFile>>;

    /// Gives a file another name in the same folder, over the file that has it.
    ///
    /// # Errors
    /// As the system gives it.
    fn rename(&self, from: &StoragePath, to: &StoragePath) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// As the system gives it; `NotFound` when it is not there.
    fn remove(&self, file: &StoragePath) -> io::Result<()>;

    /// Locks a file, creating it; `None` when another process has the lock.
    ///
    /// # Errors
    /// As the system gives it.
    fn lock(&self, file: &StoragePath) -> io::Result<Option<Box<dyn Lock>>>;

    /// Free bytes, where that is known.
    ///
    /// # Errors
    /// As the system gives it.
    fn free_bytes(&self) -> io::Result<Option<u64>>;
}

/// An open file below [`LocalDirectory`](super::LocalDirectory).
pub trait RawFile: Send + Sync + fmt::Debug {
    /// Length in bytes.
    ///
    /// # Errors
    /// As the system gives it.
    fn length(&self) -> io::Result<u64>;

    /// Reads once at `offset`; 0 at the end of the file.
    ///
    /// # Errors
    /// As the system gives it.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes once at `offset`, and says how many bytes went.
    ///
    /// # Errors
    /// As the system gives it.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Starts to write a range to the medium, and forgets what is written already; a hint.
    fn start_write_back(&self, offset: u64, length: u64);

    /// Makes the content and the length durable.
    ///
    /// # Errors
    /// As the system gives it.
    fn sync(&self) -> io::Result<()>;

    /// Cuts the file to `length` bytes.
    ///
    /// # Errors
    /// As the system gives it.
    fn truncate(&self, length: u64) -> io::Result<()>;
}

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading.
    Read,
    /// Reading and writing.
    Write,
}

/// One line of a folder's listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub name: DiskName,
    /// File or folder.
    pub kind: EntryKind,
}

/// What a name in a folder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A file of so many bytes.
    File {
        /// Its length.
        length: u64,
    },
    /// A folder.
    Folder,
    /// Something a repository does not use.
    Other,
}
