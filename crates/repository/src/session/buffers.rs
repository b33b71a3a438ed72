//! The memory that records are read into.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Buffers that are used again: their memory is neither asked of the system nor cleared anew for
/// every record.
#[derive(Clone, Debug, Default)]
pub(super) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

/// The memory of one record; goes back when it is dropped.
///
/// Its bytes begin a page: a system copies pages of a file into memory that begins a few bytes
/// behind a page, as large allocations do, up to four times slower.
#[derive(Debug)]
pub(super) struct ReadBuffer {
    bytes: Vec<u8>,
    start: usize,
    length: usize,
    home: Buffers,
}

const PAGE: usize = 4096;
/// Buffers that are kept: more are only out when a reader holds many blocks at once.
const KEPT: usize = 8;

impl Buffers {
    /// So many bytes, with anything in them.
    pub(super) fn take(&self, length: usize) -> ReadBuffer {
        let mut bytes = self.lock().pop().unwrap_or_default();
        let whole = length.saturating_add(PAGE);
        if bytes.len() < whole {
            // Not resized: what is in it need not be copied.
            bytes = vec![0; whole];
        }
        let start = bytes.as_ptr().align_offset(PAGE).min(PAGE);
        ReadBuffer {
            bytes,
            start,
            length,
            home: self.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReadBuffer {
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        let end = self.start.saturating_add(self.length);
        self.bytes.get_mut(self.start..end).unwrap_or_default()
    }
}

impl AsRef<[u8]> for ReadBuffer {
    fn as_ref(&self) -> &[u8] {
        let end = self.start.saturating_add(self.length);
        self.bytes.get(self.start..end).unwrap_or_default()
    }
}

impl Drop for ReadBuffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        let mut kept = self.home.lock();
        if kept.len() < KEPT {
            kept.push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_begins_a_page_and_has_its_length() {
        let buffers = Buffers::default();
        for length in [4096, 1 << 20, 8192, 0] {
            let mut buffer = buffers.take(length);
            assert_eq!(buffer.as_ref().len(), length);
            assert_eq!(buffer.bytes_mut().len(), length);
            assert_eq!(buffer.as_ref().as_ptr().align_offset(PAGE), 0);
        }
    }

    #[test]
    fn memory_is_used_again() {
        let buffers = Buffers::default();
        let first = buffers.take(8192);
        let address = first.as_ref().as_ptr();
        drop(first);
        assert_eq!(buffers.take(4096).as_ref().as_ptr(), address);
    }

    #[test]
    fn no_more_is_kept_than_a_few() {
        let buffers = Buffers::default();
        let many: Vec<_> = (0..100).map(|_| buffers.take(4096)).collect();
        drop(many);
        assert_eq!(buffers.lock().len(), KEPT);
    }
}
