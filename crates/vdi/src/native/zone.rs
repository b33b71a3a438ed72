//! A command's bytes in memory that is shared with the server.

use std::ptr::NonNull;

/// The bytes of one command, lent by the interface until the command is completed.
#[derive(Debug)]
pub(crate) struct Zone {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: a zone is the only way of this process to its bytes, wherever it is moved to.
unsafe impl Send for Zone {}

impl Zone {
    /// # Safety
    /// There are `length` bytes at `start`, readable and writable, that nobody else touches as
    /// long as the zone exists.
    pub(crate) unsafe fn new(start: NonNull<u8>, length: usize) -> Self {
        Self { start, length }
    }

    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: promised to `new`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: promised to `new`, and `self` is borrowed alone.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}
