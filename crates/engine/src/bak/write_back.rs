//! Tells the system early that a file's new bytes shall go to the disk.

use std::fs::File;

/// Bytes between two hints.
const STEP: u64 = 1024 * 1024;

/// Starts to write what a growing file got, so that the sync at its end finds little left to do.
#[derive(Debug, Default)]
pub(super) struct WriteBack {
    begun: u64,
}

impl WriteBack {
    /// The file has this length now.
    pub(super) fn grown(&mut self, file: &File, length: u64) {
        let waiting = length.saturating_sub(self.begun);
        if waiting >= STEP {
            begin(file, self.begun, waiting);
            self.begun = length;
        }
    }
}

/// Linux starts to write a range that it is told will not be needed.
#[cfg(target_os = "linux")]
fn begin(file: &File, offset: u64, length: u64) {
    use rustix::fs::{Advice, fadvise};

    // A hint: the sync at the end finds what went wrong.
    let _ = fadvise(
        file,
        offset,
        std::num::NonZeroU64::new(length),
        Advice::DontNeed,
    );
}

#[cfg(not(target_os = "linux"))]
fn begin(_file: &File, _offset: u64, _length: u64) {}
