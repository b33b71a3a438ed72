//! What Unix does in its own way.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

/// Files can be renamed and removed whoever has them open.
pub(super) fn patiently<T>(action: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut action = action;
    action()
}

pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

pub(super) fn lock(path: &Path) -> io::Result<Option<File>> {
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

pub(super) fn free_bytes(path: &Path) -> io::Result<Option<u64>> {
    let status = rustix::fs::statvfs(path)?;
    Ok(Some(status.f_bavail.saturating_mul(status.f_frsize)))
}

pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    FileExt::read_at(file, buffer, offset)
}

/// A handle past the page cache, on file systems of this machine's disks that change a file in
/// place. Over a network each call would wait for the other side.
#[cfg(target_os = "linux")]
pub(super) fn open_direct(path: &Path, writing: bool) -> Option<File> {
    use std::os::unix::fs::OpenOptionsExt as _;

    const EXT: i64 = 0xef53;
    const XFS: i64 = 0x5846_5342;
    let flags = rustix::fs::OFlags::DIRECT.bits().cast_signed();
    let mut options = OpenOptions::new();
    options.read(true).write(writing).custom_flags(flags);
    let file = options.open(path).ok()?;
    let system = rustix::fs::fstatfs(&file).ok()?.f_type;
    matches!(system, EXT | XFS).then_some(file)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn open_direct(_path: &Path, _writing: bool) -> Option<File> {
    None
}

pub(super) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    FileExt::write_at(file, bytes, offset)
}

/// Linux starts to write a range that it is told will not be needed, and drops what is clean.
#[cfg(target_os = "linux")]
pub(super) fn start_write_back(file: &File, offset: u64, length: u64) {
    use rustix::fs::{Advice, fadvise};

    if let Some(length) = std::num::NonZeroU64::new(length) {
        // A hint: the sync at the commit finds what went wrong.
        let _ = fadvise(file, offset, Some(length), Advice::DontNeed);
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn start_write_back(_file: &File, _offset: u64, _length: u64) {}
