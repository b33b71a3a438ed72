//! Runs an entry and watches the memory that it takes.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicUsize, Ordering};

use peak_alloc::PeakAlloc;

#[doc(hidden)]
pub use libfuzzer_sys;
#[doc(hidden)]
pub use vab_fuzz_entries as entries;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// No execution may hold more heap than this, in bytes.
const LIMIT: usize = 64 << 20;

/// Makes the entry of that name a fuzz target.
#[macro_export]
macro_rules! target {
    ($entry:ident) => {
        $crate::libfuzzer_sys::fuzz_target!(|data: &[u8]| {
            $crate::measured($crate::entries::$entry, data)
        });
    };
}

/// Runs `entry`, and fails when it held more than 64 MiB at once. Whenever one execution needs
/// more than any before, says so: the last such line is the peak of the run.
pub fn measured(entry: vab_fuzz_entries::Entry, data: &[u8]) {
    static MOST: AtomicUsize = AtomicUsize::new(0);
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    entry(data);
    let held = HEAP.peak_usage().saturating_sub(before);
    assert!(held <= LIMIT, "{held} bytes of heap in one execution");
    if MOST.fetch_max(held, Ordering::Relaxed) < held {
        eprintln!("heap: {held} bytes at most in one execution");
    }
}
