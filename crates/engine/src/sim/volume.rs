//! Where a database's files lie: a folder on disk, or memory.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::EngineError;
use crate::sim::bytes::length;

/// A place for the files of one database.
#[derive(Debug)]
pub(crate) enum Volume {
    Disk { folder: PathBuf },
    Memory,
}

/// The most bytes of a file in memory. A page number in a bad backup must not take all memory.
const MEMORY_LIMIT: usize = 1 << 30;

/// One file of a volume.
#[derive(Debug)]
pub(crate) enum Storage {
    Disk(File),
    Memory(Vec<u8>),
}

pub(crate) fn io_error(action: &'static str) -> impl FnOnce(io::Error) -> EngineError {
    move |error| EngineError::Io {
        action,
        error: Arc::new(error),
    }
}

impl Volume {
    pub(crate) fn is_memory(&self) -> bool {
        matches!(self, Self::Memory)
    }

    /// A new, empty file; one of the same name is gone afterwards.
    pub(crate) fn create(&self, name: &str) -> Result<Storage, EngineError> {
        match self {
            Self::Disk { folder } => OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(true)
                .open(folder.join(name))
                .map(Storage::Disk)
                .map_err(io_error("creating a file of a database")),
            Self::Memory => Ok(Storage::Memory(Vec::new())),
        }
    }

    /// An existing file. Memory keeps none.
    pub(crate) fn open(&self, name: &str) -> Result<Storage, EngineError> {
        match self {
            Self::Disk { folder } => OpenOptions::new()
                .read(true)
                .write(true)
                .open(folder.join(name))
                .map(Storage::Disk)
                .map_err(io_error("opening a file of a database")),
            Self::Memory => Ok(Storage::Memory(Vec::new())),
        }
    }

    pub(crate) fn remove(&self, name: &str) -> Result<(), EngineError> {
        match self {
            Self::Disk { folder } => match fs::remove_file(folder.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(io_error("removing a file of a database")(error))
                }
                _ => Ok(()),
            },
            Self::Memory => Ok(()),
        }
    }

    pub(crate) fn names(&self) -> Result<Vec<String>, EngineError> {
        match self {
            Self::Disk { folder } => {
                let list = || -> io::Result<Vec<String>> {
                    let mut names = Vec::new();
                    for entry in fs::read_dir(folder)? {
                        names.extend(entry?.file_name().into_string());
                    }
                    Ok(names)
                };
                list().map_err(io_error("listing a database's folder"))
            }
            Self::Memory => Ok(Vec::new()),
        }
    }

    /// Replaces a small file as a whole: after a crash it is the old one or the new one.
    pub(crate) fn replace(&self, name: &str, content: &[u8]) -> Result<(), EngineError> {
        match self {
            Self::Disk { folder } => {
                replace_file(folder, name, content).map_err(io_error("saving a database's state"))
            }
            Self::Memory => Ok(()),
        }
    }

    pub(crate) fn read(&self, name: &str) -> Result<Vec<u8>, EngineError> {
        match self {
            Self::Disk { folder } => {
                fs::read(folder.join(name)).map_err(io_error("reading a database's state"))
            }
            Self::Memory => Ok(Vec::new()),
        }
    }
}

/// Writes beside, then renames over.
pub(crate) fn replace_file(folder: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let beside = folder.join(format!("{name}.new"));
    let mut file = File::create(&beside)?;
    file.write_all(content)?;
    file.sync_data()?;
    drop(file);
    fs::rename(&beside, folder.join(name))?;
    sync_folder(folder)
}

/// Makes names in a folder durable, where the system can.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_data()?;
    }
    Ok(())
}

impl Storage {
    pub(crate) fn len(&self) -> Result<u64, EngineError> {
        match self {
            Self::Disk(file) => file
                .metadata()
                .map(|data| data.len())
                .map_err(io_error("measuring a file of a database")),
            Self::Memory(bytes) => Ok(bytes.len() as u64),
        }
    }

    /// Reads as much as there is at an offset, up to the buffer's length.
    pub(crate) fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, EngineError> {
        match self {
            Self::Disk(file) => {
                let mut read = || -> io::Result<usize> {
                    file.seek(SeekFrom::Start(offset))?;
                    let mut done = 0;
                    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
                        match file.read(rest) {
                            Ok(0) => break,
                            Ok(count) => done += count,
                            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                            Err(error) => return Err(error),
                        }
                    }
                    Ok(done)
                };
                read().map_err(io_error("reading a database"))
            }
            Self::Memory(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let there = bytes.get(start..).unwrap_or_default();
                let count = there.len().min(buffer.len());
                for (to, from) in buffer.iter_mut().zip(there) {
                    *to = *from;
                }
                Ok(count)
            }
        }
    }

    pub(crate) fn write_at(&mut self, offset: u64, content: &[u8]) -> Result<(), EngineError> {
        match self {
            Self::Disk(file) => file
                .seek(SeekFrom::Start(offset))
                .and_then(|_| file.write_all(content))
                .map_err(io_error("writing a database")),
            Self::Memory(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let end = start.saturating_add(content.len());
                if bytes.len() < end {
                    if end > MEMORY_LIMIT {
                        let full = io::Error::from(io::ErrorKind::StorageFull);
                        return Err(io_error("writing a database in memory")(full));
                    }
                    bytes.resize(end, 0);
                }
                if let Some(place) = bytes.get_mut(start..end) {
                    place.copy_from_slice(content);
                }
                Ok(())
            }
        }
    }

    pub(crate) fn truncate(&mut self, size: u64) -> Result<(), EngineError> {
        match self {
            Self::Disk(file) => file.set_len(size).map_err(io_error("sizing a database")),
            Self::Memory(bytes) => {
                bytes.truncate(usize::try_from(size).unwrap_or(usize::MAX));
                Ok(())
            }
        }
    }

    pub(crate) fn sync(&mut self) -> Result<(), EngineError> {
        match self {
            Self::Disk(file) => file
                .sync_data()
                .map_err(io_error("making a database durable")),
            Self::Memory(_) => Ok(()),
        }
    }
}

/// A page's or block's place in a file.
pub(crate) fn offset(index: u32, unit: usize) -> u64 {
    u64::from(index) * unit as u64
}

/// As a length in memory.
pub(crate) fn span(count: u32, unit: usize) -> usize {
    length(count).saturating_mul(unit)
}
