//! Mapped memory that another process has too.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::{self, NonNull};

use rustix::fs::{
    MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, ftruncate, memfd_create,
};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use super::socket::Socket;
use crate::clock::Deadline;

/// What the other side needs to map the memory too.
pub(in crate::pipe) type Shared = OwnedFd;

/// A mapping. It stays as long as this exists.
#[derive(Debug)]
pub(in crate::pipe) struct View {
    start: NonNull<u8>,
    length: usize,
}

/// Without these, the other side could take mapped memory away.
const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW);
/// Goes with the descriptor, which cannot travel alone.
const WORD: &[u8] = b"M";

impl View {
    /// New memory, full of zeros.
    pub(in crate::pipe) fn create(length: usize) -> io::Result<(Self, Shared)> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let descriptor = memfd_create("vab-vdi", flags)?;
        let bytes = u64::try_from(length).map_err(|_| io::ErrorKind::InvalidInput)?;
        ftruncate(&descriptor, bytes)?;
        fcntl_add_seals(&descriptor, SEALS | SealFlags::SEAL)?;
        let view = Self::map(descriptor.as_fd(), length)?;
        Ok((view, descriptor))
    }

    /// Memory that the other side made: it must be sealed and of just that length.
    pub(in crate::pipe) fn open(shared: &Shared, length: usize) -> io::Result<Self> {
        let sealed = fcntl_get_seals(shared)?.contains(SEALS);
        let size = usize::try_from(fstat(shared)?.st_size).ok();
        if !sealed || size != Some(length) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Self::map(shared.as_fd(), length)
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

    /// Where the memory begins in this process.
    pub(in crate::pipe) fn start(&self) -> NonNull<u8> {
        self.start
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nobody uses a byte of it any more. If it fails, it
        // stays.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.length) };
    }
}

/// Whether the other side could send memory.
pub(in crate::pipe) fn can_receive(_socket: &Socket) -> bool {
    true
}

/// Sends memory to the other side.
pub(in crate::pipe) fn send(
    socket: &Socket,
    shared: &Shared,
    deadline: Deadline,
) -> io::Result<()> {
    socket.send_descriptor(WORD, shared.as_fd(), deadline)
}

/// Receives memory from the other side.
pub(in crate::pipe) fn receive(socket: &Socket, deadline: Deadline) -> io::Result<Shared> {
    socket.receive_descriptor(WORD, deadline)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_could_be_taken_away_is_refused() {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let descriptor = memfd_create("test", flags).unwrap();
        ftruncate(&descriptor, 4096).unwrap();
        assert!(View::open(&descriptor, 4096).is_err());
        fcntl_add_seals(&descriptor, SealFlags::SHRINK | SealFlags::GROW).unwrap();
        assert!(View::open(&descriptor, 8192).is_err(), "another length");
        assert!(View::open(&descriptor, 4096).is_ok());
    }
}
