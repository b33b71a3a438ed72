//! What a repository needs from the place its files lie in.
//!
//! [`Storage`] has the shape of the narrowest place that is wanted: an object store has whole
//! objects and conditional puts, no append, no rename. Small files are replaced as a whole;
//! data files are written at positions by one writer and sealed by [`DataFile::sync`]. A place
//! without append says so by [`Storage::can_append`], and every session gets a file of its own.
//!
//! [`LocalDirectory`] keeps a repository in a folder. Under it lies [`FileSystem`], the single
//! calls that reach the disk, so that a test can record them, lose them, or make them fail under
//! the same code that runs in a server.

mod directory;
mod error;
mod host;
mod path;
mod system;

use std::fmt;
use std::sync::Arc;

use crate::names::DiskName;

pub use directory::LocalDirectory;
pub(crate) use directory::{TEMPORARY, UNPUBLISHED};
pub use error::{Action, StorageError, StorageErrorKind};
pub use host::HostFileSystem;
pub use path::StoragePath;
pub use system::{Access, Entry, EntryKind, FileSystem, RawFile};

/// A place for a repository: folders one deep, files in them.
pub trait Storage: Send + Sync + fmt::Debug {
    /// Where this is, for messages.
    fn location(&self) -> String;

    /// Whether a data file can be opened again to write behind what it has.
    fn can_append(&self) -> bool;

    /// The folders of the repository.
    ///
    /// # Errors
    /// When the place cannot be read.
    fn folders(&self) -> Result<Vec<DiskName>, StorageError>;

    /// The files of a folder, or of the root; a folder that is not there has none.
    ///
    /// # Errors
    /// When the place cannot be read.
    fn files(&self, folder: Option<&DiskName>) -> Result<Vec<Listed>, StorageError>;

    /// Creates a folder, durably; one that is there stays.
    ///
    /// # Errors
    /// When it cannot be created.
    fn create_folder(&self, folder: &DiskName) -> Result<(), StorageError>;

    /// A whole small file; `None` when there is none.
    ///
    /// # Errors
    /// When it cannot be read, or is longer than `limit` bytes.
    fn read(&self, file: &StoragePath, limit: u64) -> Result<Option<Vec<u8>>, StorageError>;

    /// Puts a whole small file in place of what is there, durably: after a crash either the old
    /// or the new content is there, and after `Ok` the new one.
    ///
    /// # Errors
    /// When it cannot be written; then the old or the new content is there.
    fn replace(&self, file: &StoragePath, content: &[u8]) -> Result<(), StorageError>;

    /// Removes a file, durably; one that is not there is no error.
    ///
    /// # Errors
    /// When it cannot be removed.
    fn remove(&self, file: &StoragePath) -> Result<(), StorageError>;

    /// Creates a data file that is not there yet. Nobody finds it under its name before
    /// [`Storage::publish`]; until then it is garbage after a crash.
    ///
    /// # Errors
    /// When it is there, or cannot be created.
    fn create(&self, file: &StoragePath) -> Result<Arc<dyn DataFile>, StorageError>;

    /// Gives a created data file its name, durably. Its content must be durable before.
    ///
    /// # Errors
    /// When it cannot be published; it may or may not be found then.
    fn publish(&self, file: &StoragePath) -> Result<(), StorageError>;

    /// Removes a created data file that was not published.
    ///
    /// # Errors
    /// When it cannot be removed.
    fn discard(&self, file: &StoragePath) -> Result<(), StorageError>;

    /// Opens a created data file that was not published, after the process that created it was
    /// killed; `None` when it is not there, or such files are not kept here.
    ///
    /// # Errors
    /// When it cannot be opened.
    fn open_unpublished(
        &self,
        file: &StoragePath,
    ) -> Result<Option<Arc<dyn DataFile>>, StorageError> {
        let _ = file;
        Ok(None)
    }

    /// Opens a data file.
    ///
    /// # Errors
    /// When it is not there or cannot be opened.
    fn open(&self, file: &StoragePath, access: Access) -> Result<Arc<dyn DataFile>, StorageError>;

    /// Takes a lock that ends with this process; `None` when another one has it.
    ///
    /// # Errors
    /// When the lock cannot be asked for.
    fn lock(&self, file: &StoragePath) -> Result<Option<Box<dyn Lock>>, StorageError>;

    /// Free bytes for new files, where that is known.
    ///
    /// # Errors
    /// When the place cannot be asked.
    fn free_bytes(&self) -> Result<Option<u64>, StorageError>;
}

/// A data file: one writer, any number of readers.
pub trait DataFile: Send + Sync + fmt::Debug {
    /// Where the file is, for messages.
    fn path(&self) -> &StoragePath;

    /// Its length in bytes.
    ///
    /// # Errors
    /// When it cannot be asked.
    fn length(&self) -> Result<u64, StorageError>;

    /// Fills `buffer` from `offset` on; gives fewer bytes only at the end of the file.
    ///
    /// # Errors
    /// When the bytes cannot be read.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, StorageError>;

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// When not all could be written; what is at that place is then undefined.
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), StorageError>;

    /// A hint that a range will not be written again, may go to the medium, and need not be kept
    /// in memory.
    fn start_write_back(&self, offset: u64, length: u64);

    /// Makes everything written so far durable.
    ///
    /// # Errors
    /// When it is not durable. The content of the file is then unknown: a second call may
    /// succeed without a byte having reached the medium, so the file must not be written again.
    fn sync(&self) -> Result<(), StorageError>;

    /// Cuts the file to `length` bytes.
    ///
    /// # Errors
    /// When it cannot be cut.
    fn truncate(&self, length: u64) -> Result<(), StorageError>;
}

/// A lock that is held until it is dropped, or its process ends in any way.
pub trait Lock: Send + Sync + fmt::Debug {}

/// A file in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: DiskName,
    /// Its length in bytes.
    pub length: u64,
}
