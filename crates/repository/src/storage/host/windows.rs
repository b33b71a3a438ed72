//! What Windows does in its own way.
//!
//! Paths may be longer than the system's old limit of 260: the standard library writes long ones
//! in the form that has no limit. Names that the system takes for devices, or cuts, are kept from
//! it by [`DiskName`](crate::DiskName).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::{FileExt as _, OpenOptionsExt};
use std::path::Path;
use std::thread;
use std::time::Duration;

const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;

const ERROR_INVALID_FUNCTION: i32 = 1;
const ERROR_ACCESS_DENIED: i32 = 5;
const ERROR_SHARING_VIOLATION: i32 = 32;
const ERROR_LOCK_VIOLATION: i32 = 33;
const ERROR_NOT_SUPPORTED: i32 = 50;
const ERROR_DELETE_PENDING: i32 = 303;

/// Milliseconds between tries: under half a second in all.
const PAUSES: [u64; 8] = [1, 2, 5, 10, 25, 50, 100, 200];

/// Tries again while another program has the file open: a virus scanner or an indexer looks at
/// new files for a moment, and until then they can be neither replaced nor removed, and a removed
/// one is still there.
pub(super) fn patiently<T>(mut action: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for pause in PAUSES {
        match action() {
            Err(error) if is_passing(&error) => thread::sleep(Duration::from_millis(pause)),
            result => return result,
        }
    }
    action()
}

fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            ERROR_ACCESS_DENIED
                | ERROR_SHARING_VIOLATION
                | ERROR_LOCK_VIOLATION
                | ERROR_DELETE_PENDING
        )
    )
}

/// Makes the names in a folder durable. File systems that know no such call (network shares) say
/// so; they have made them durable with the renaming itself, or never will.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = OpenOptions::new()
        .write(true)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS)
        .open(path)?;
    match folder.sync_all() {
        Err(error)
            if matches!(
                error.raw_os_error(),
                Some(ERROR_INVALID_FUNCTION | ERROR_NOT_SUPPORTED)
            ) =>
        {
            Ok(())
        }
        result => result,
    }
}

/// The lock is on the file's bytes, so that programs that only look at the file do not matter.
pub(super) fn lock(path: &Path) -> io::Result<Option<File>> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    match fs4::fs_std::FileExt::try_lock_exclusive(&file) {
        Ok(taken) => Ok(taken.then_some(file)),
        Err(error) if error.raw_os_error() == Some(ERROR_LOCK_VIOLATION) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn free_bytes(path: &Path) -> io::Result<Option<u64>> {
    fs4::available_space(path).map(Some)
}

pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.seek_read(buffer, offset)
}

/// What there is past the cache was not measured here.
pub(super) fn open_direct(_path: &Path, _writing: bool) -> Option<File> {
    None
}

pub(super) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    file.seek_write(bytes, offset)
}

/// The system decides by itself.
pub(super) fn start_write_back(_file: &File, _offset: u64, _length: u64) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_waited_for_and_nothing_else() {
        let mut calls = 0;
        let result = patiently(|| {
            calls += 1;
            match calls {
                3 => Ok(()),
                _ => Err(io::Error::from_raw_os_error(ERROR_SHARING_VIOLATION)),
            }
        });
        assert!(result.is_ok());
        assert_eq!(calls, 3);
        let missing = patiently(|| {
            calls += 1;
            Err::<(), _>(io::ErrorKind::NotFound.into())
        });
        assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(calls, 4);
    }
}
