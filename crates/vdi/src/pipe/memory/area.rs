//! Shared memory of a fixed length, and parts of it.

use std::io;
use std::slice;
use std::sync::atomic::AtomicU64;

use crate::native::Zone;
use crate::pipe::sys::{Shared, View};

/// Memory that another process may have too. It stays mapped as long as this exists.
#[derive(Debug)]
pub(super) struct Area {
    view: View,
    length: usize,
}

// SAFETY: the area is only an address; who may touch which part of it is for its users to say,
// through the contract of `zone`.
unsafe impl Send for Area {}
// SAFETY: as above.
unsafe impl Sync for Area {}

impl Area {
    /// New memory, full of zeros.
    pub(super) fn create(length: usize) -> io::Result<(Self, Shared)> {
        let (view, shared) = View::create(length)?;
        Ok((Self { view, length }, shared))
    }

    /// Memory that the other side made. It must be such that it stays, and at least that long.
    pub(super) fn open(shared: &Shared, length: usize) -> io::Result<Self> {
        let view = View::open(shared, length)?;
        Ok(Self { view, length })
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
        let start = unsafe { self.view.start().add(first) };
        // SAFETY: all bytes are mapped, readable and writable; the rest is promised to us.
        Some(unsafe { Zone::new(start, length) })
    }

    /// Words from the byte `first` on, which both processes may read and write at any time; `None`
    /// when they are not all in the area or not at a word's boundary.
    ///
    /// # Safety
    /// No zone has one of their bytes.
    pub(super) unsafe fn words(&self, first: usize, count: usize) -> Option<&[AtomicU64]> {
        let end = first.checked_add(count.checked_mul(size_of::<AtomicU64>())?)?;
        if end > self.length {
            return None;
        }
        // SAFETY: `first` is in the area, as was just checked.
        let start = unsafe { self.view.start().add(first) }.cast::<AtomicU64>();
        // SAFETY: all words are mapped, readable and writable as long as the area is borrowed, and
        // in their place; this process touches them as atomics only, and any bits are a number.
        start
            .is_aligned()
            .then(|| unsafe { slice::from_raw_parts(start.as_ptr(), count) })
    }

    /// Where in the area a zone begins.
    pub(super) fn offset_of(&self, zone: &Zone) -> Option<usize> {
        let start = self.view.start().addr().get();
        let offset = zone.start().addr().get().checked_sub(start)?;
        (offset < self.length).then_some(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_mappings_are_the_same_memory() {
        let (here, shared) = Area::create(8192).unwrap();
        let there = Area::open(&shared, 8192).unwrap();
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
        let (area, _shared) = Area::create(4096).unwrap();
        // SAFETY: no zone is made where words are.
        unsafe {
            assert!(area.zone(4096, 1).is_none());
            assert!(area.zone(usize::MAX, 2).is_none());
            assert!(area.words(4088, 1).is_some());
            assert!(area.words(4088, 2).is_none());
            assert!(area.words(4, 1).is_none(), "no boundary of words");
            assert!(area.words(8, usize::MAX).is_none());
        }
    }
}
