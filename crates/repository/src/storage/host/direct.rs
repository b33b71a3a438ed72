//! Large reads and writes past the system's page cache.
//!
//! What is written is not read again soon, and what is read not a second time. Through the cache
//! its bytes cost memory that others may want, a copy, and the search for that memory: on a
//! machine that gives its free memory back to a host, most of the processor time that they take.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Access, sys};

/// Offset, length and memory are multiples of it: disks ask for 512 or 4096.
const PAGE: u64 = 4096;

/// A direct call waits for the disk. Shorter ones are left to the system, which gathers writes
/// and reads ahead.
const SHORTEST: usize = 128 * 1024;

/// A second handle of a file, past the cache. Both see the same bytes: the system writes what the
/// cache has of a range before it is read directly, and drops it when it is written.
#[derive(Debug)]
pub(super) struct Direct {
    file: File,
    refused: AtomicBool,
}

impl Direct {
    /// `None` where there is no such way, or it is not known to be good.
    pub(super) fn open(path: &Path, access: Access) -> Option<Self> {
        sys::open_direct(path, access == Access::Write).map(|file| Self {
            file,
            refused: AtomicBool::new(false),
        })
    }

    /// Reads once; `None` when these bytes have to come through the cache.
    pub(super) fn read_at(&self, buffer: &mut [u8], offset: u64) -> Option<io::Result<usize>> {
        if !self.takes(buffer, offset) {
            return None;
        }
        self.unless_refused(sys::read_at(&self.file, buffer, offset))
    }

    /// Writes once; `None` when these bytes have to go through the cache.
    pub(super) fn write_at(&self, bytes: &[u8], offset: u64) -> Option<io::Result<usize>> {
        if !self.takes(bytes, offset) {
            return None;
        }
        self.unless_refused(sys::write_at(&self.file, bytes, offset))
    }

    fn takes(&self, memory: &[u8], offset: u64) -> bool {
        let numbers = [memory.as_ptr().addr() as u64, memory.len() as u64, offset];
        memory.len() >= SHORTEST
            && numbers.iter().all(|number| number.is_multiple_of(PAGE))
            && !self.refused.load(Ordering::Relaxed)
    }

    /// A disk with larger sectors refuses what others take.
    fn unless_refused(&self, outcome: io::Result<usize>) -> Option<io::Result<usize>> {
        if matches!(&outcome, Err(error) if error.kind() == io::ErrorKind::InvalidInput) {
            self.refused.store(true, Ordering::Relaxed);
            return None;
        }
        Some(outcome)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use vab_format::record::{FRAME_LENGTH, RecordBuffer};

    use super::*;

    /// A file of three pages of `1`; `None`, in words, where nothing is written directly.
    fn direct() -> Option<(tempfile::NamedTempFile, Direct)> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), [1; 3 * 4096]).unwrap();
        let direct = Direct::open(file.path(), Access::Write);
        if direct.is_none() {
            println!(
                "skipped: nothing is written past the cache in {}",
                file.path().display()
            );
        }
        Some((file, direct?))
    }

    /// Bytes that begin a page of memory.
    fn record(length: usize) -> RecordBuffer {
        RecordBuffer::of(&vec![2; length - FRAME_LENGTH])
    }

    #[test]
    fn what_the_cache_has_of_a_range_is_not_seen_any_more() {
        let Some((file, direct)) = direct() else {
            return;
        };
        let mut record = record(SHORTEST);
        let bytes = record.record(&[2; FRAME_LENGTH]);
        let written = direct.write_at(bytes, PAGE).unwrap().unwrap();
        assert_eq!(written, SHORTEST);
        let content = fs::read(file.path()).unwrap();
        assert_eq!(content.len(), 4096 + SHORTEST);
        assert!(content[..4096].iter().all(|byte| *byte == 1));
        assert!(content[4096..].iter().all(|byte| *byte == 2));
    }

    #[test]
    fn what_the_cache_has_and_the_disk_not_yet_is_read() {
        let Some((file, direct)) = direct() else {
            return;
        };
        let content: Vec<u8> = (0_u8..34).flat_map(|page| [page; 4096]).collect();
        assert_eq!(content.len(), SHORTEST + 8192);
        fs::write(file.path(), &content).unwrap();
        let mut buffer = record(SHORTEST);
        buffer.record(&[0; FRAME_LENGTH]);
        let mut memory = buffer.into_memory();
        let start = memory.as_ptr().align_offset(4096);
        let buffer = &mut memory[start..][..SHORTEST];
        let found = direct.read_at(buffer, 4096).unwrap().unwrap();
        assert_eq!(found, SHORTEST);
        assert_eq!(buffer, &content[4096..][..SHORTEST]);
        // Fewer bytes at the end, as of any file.
        assert_eq!(
            direct.read_at(buffer, 3 * 4096).unwrap().unwrap(),
            SHORTEST - 4096
        );
        assert_eq!(buffer[..SHORTEST - 4096], content[3 * 4096..]);
    }

    #[test]
    fn what_is_short_or_lies_across_pages_is_left_to_the_cache() {
        let Some((file, direct)) = direct() else {
            return;
        };
        let mut record = record(SHORTEST + 4096);
        let bytes = record.record(&[2; FRAME_LENGTH]);
        assert!(direct.write_at(&bytes[..SHORTEST - 4096], 0).is_none());
        assert!(direct.write_at(&bytes[..=SHORTEST], 0).is_none());
        assert!(direct.write_at(&bytes[1..=SHORTEST], 0).is_none());
        assert!(direct.write_at(&bytes[..SHORTEST], 512).is_none());
        assert_eq!(fs::read(file.path()).unwrap(), [1; 3 * 4096]);
    }

    #[test]
    fn a_file_that_refused_once_is_not_asked_again() {
        let Some((file, direct)) = direct() else {
            return;
        };
        let mut record = record(SHORTEST);
        let bytes = record.record(&[2; FRAME_LENGTH]);
        // No file is so long.
        assert!(direct.write_at(bytes, 1 << 63).is_none());
        assert!(direct.write_at(bytes, 0).is_none());
        assert_eq!(fs::read(file.path()).unwrap(), [1; 3 * 4096]);
    }

    #[test]
    fn who_reads_through_the_cache_meanwhile_sees_whole_writes() {
        let Some((file, direct)) = direct() else {
            return;
        };
        let mut record = record(SHORTEST);
        let bytes = record.record(&[2; FRAME_LENGTH]);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                for _ in 0..20 {
                    let content = fs::read(file.path()).unwrap();
                    let (before, written) = content.split_at(3 * 4096);
                    assert!(before.iter().all(|byte| *byte == 1));
                    assert!(written.iter().all(|byte| *byte == 2));
                }
            });
            for number in 0..64 {
                let offset = 3 * PAGE + number * SHORTEST as u64;
                direct.write_at(bytes, offset).unwrap().unwrap();
            }
            reader.join().unwrap();
        });
    }
}
