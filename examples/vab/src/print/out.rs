//! Standard output that may be closed (`vab list | head`) or full without a panic.

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

static FAILED: AtomicBool = AtomicBool::new(false);

/// Writes to standard output. A reader that has gone away is nobody's fault; any other failure is
/// told once and makes the program fail at its end.
pub(crate) fn write(text: fmt::Arguments<'_>) {
    let mut out = io::stdout().lock();
    match out.write_fmt(text).and_then(|()| out.flush()) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Err(error) => {
            if !FAILED.swap(true, Ordering::Relaxed) {
                eprintln!("error: standard output cannot be written: {error}");
            }
        }
    }
}

/// Whether something that should have been printed was not.
pub(crate) fn failed() -> bool {
    FAILED.load(Ordering::Relaxed)
}

/// `println!` without its panic.
macro_rules! outln {
    () => { $crate::print::out::write(format_args!("\n")) };
    ($($text:tt)+) => { $crate::print::out::write(format_args!("{}\n", format_args!($($text)+))) };
}

pub(crate) use outln;
