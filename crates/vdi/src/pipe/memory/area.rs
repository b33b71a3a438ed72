//! Mapped memory of a fixed length.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::{self, NonNull};

use rustix::fs::{
    MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, ftruncate, memfd_create,
};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use crate::native::Zone;

/// Memory that another process may have too. It stays mapped as long as this exists.
#[derive(Debug)]
pub(super) struct Area {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the area is only an address; who may touch which part of it is for its users to say,
// through the contract of `zone`.
unsafe impl Send for Area {}
// SAFETY: as above.
unsafe impl Sync for Area {}

/// Without these, the other side could take mapped memory away.
const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW);

impl Area {
    /// New memory, full of zeros.
    pub(super) fn create(length: usize) -> io::Result<(Self, OwnedFd)> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let descriptor = memfd_create("vab-vdi", flags)?;
        let bytes = u64::try_from(length).map_err(|_| io::ErrorKind::InvalidInput)?;
        ftruncate(&descriptor, bytes)?;
        fcntl_add_seals(&descriptor, SEALS | SealFlags::SEAL)?;
        let area = Self::map(descriptor.as_fd(), length)?;
        Ok((area, descriptor))
    }

    /// Memory that the other side made: it must be sealed and of just that length.
    pub(super) fn open(descriptor: BorrowedFd<'_>, length: usize) -> io::Result<Self> {
        let sealed = fcntl_get_seals(descriptor)?.contains(SEALS);
        let size = usize::try_from(fstat(descriptor)?.st_size).ok();
        if !sealed || size != Some(length) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Self::map(descriptor, length)
    }

    fn map(descriptor: BorrowedFd<'_>, length: usize) -> io::Result<Self> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the system's choice touches nothing that is
        // there. The file has this length and is sealed against shrinking, so every byte of the
        // mapping stays there.
        let start = unsafe {
            mmap(
                ptr::null_mut(),
                length,
                protection,
                MapFlags::SHARED,
                descriptor,
                0,
            )
        }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, length })
    }

    /// The bytes from `first` on; `None` when they are not all in the area.
    ///
    /// # Safety
    /// The zone does not outlive the area, no other zone of this process has one of its bytes,
    /// and the other process leaves them alone as long as the zone exists.
    pub(super) unsafe fn zone(&self, first: usize, length: usize) -> Option<Zone> {
        let end = first.checked_add(length)?;
        if end > self.length {
            return None;
        }
        // SAFETY: `first` is in the area, as was just checked.
        let start = unsafe { self.start.add(first) };
        // SAFETY: all bytes are mapped, readable and writable; the rest is promised to us.
        Some(unsafe { Zone::new(start, length) })
    }

    /// Where in the area a zone begins.
    pub(super) fn offset_of(&self, zone: &Zone) -> Option<usize> {
        let offset = zone
            .start()
            .addr()
            .get()
            .checked_sub(self.start.addr().get())?;
        (offset < self.length).then_some(offset)
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and no zone is left of it. If it fails, it stays.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.length) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_mappings_are_the_same_memory() {
        let (here, descriptor) = Area::create(8192).unwrap();
        let there = Area::open(descriptor.as_fd(), 8192).unwrap();
        // SAFETY: the zones are used one after the other.
        unsafe {
            here.zone(4096, 4)
                .unwrap()
                .bytes_mut()
                .copy_from_slice(b"data");
            assert_eq!(there.zone(4096, 4).unwrap().bytes(), b"data");
        }
    }

    #[test]
    fn nothing_lies_beyond_the_end() {
        let (area, _descriptor) = Area::create(4096).unwrap();
        // SAFETY: no zone is made.
        unsafe {
            assert!(area.zone(4096, 1).is_none());
            assert!(area.zone(usize::MAX, 2).is_none());
        }
    }

    #[test]
    fn memory_that_could_be_taken_away_is_refused() {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let descriptor = memfd_create("test", flags).unwrap();
        ftruncate(&descriptor, 4096).unwrap();
        assert!(Area::open(descriptor.as_fd(), 4096).is_err());
        fcntl_add_seals(&descriptor, SealFlags::SHRINK | SealFlags::GROW).unwrap();
        assert!(
            Area::open(descriptor.as_fd(), 8192).is_err(),
            "another length"
        );
        assert!(Area::open(descriptor.as_fd(), 4096).is_ok());
    }
}
