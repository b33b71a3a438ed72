//! Events, and waits for them.

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle, RawHandle};
use std::ptr;

use super::FALSE;
use crate::clock::Deadline;

mod kernel32 {
    use std::ffi::c_void;
    use std::os::windows::io::RawHandle;

    windows_link::link!("kernel32.dll" "system" fn CreateEventW(
        attributes: *const c_void,
        stays_set: i32,
        is_set: i32,
        name: *const u16
    ) -> RawHandle);
    windows_link::link!("kernel32.dll" "system" fn SetEvent(event: RawHandle) -> i32);
    windows_link::link!("kernel32.dll" "system" fn WaitForMultipleObjects(
        count: u32,
        handles: *const RawHandle,
        all: i32,
        milliseconds: u32
    ) -> u32);
}

const WAIT_TIMEOUT: u32 = 258;

/// An event that stays set until an operation of the system that uses it resets it.
#[derive(Debug)]
pub(super) struct Event(OwnedHandle);

/// Which of two events came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    Left,
    Right,
    TimedOut,
}

impl Event {
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: no attributes and no name; the result is checked before it is used.
        let event = unsafe { kernel32::CreateEventW(ptr::null(), 1, 0, ptr::null()) };
        if event.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call just gave the handle, and nobody else has it.
        Ok(Self(unsafe { OwnedHandle::from_raw_handle(event) }))
    }

    pub(super) fn set(&self) {
        // SAFETY: the handle lives. The call cannot fail with a live event.
        let _ = unsafe { kernel32::SetEvent(self.raw()) };
    }

    pub(super) fn raw(&self) -> RawHandle {
        self.0.as_raw_handle()
    }

    /// Waits for this one or another one; if both are set, this one counts.
    pub(super) fn or(&self, other: &Self, deadline: Deadline) -> io::Result<First> {
        let handles = [self.raw(), other.raw()];
        // SAFETY: there are two handles, and both live through the call.
        let first = unsafe {
            kernel32::WaitForMultipleObjects(2, handles.as_ptr(), FALSE, milliseconds(deadline))
        };
        match first {
            0 => Ok(First::Left),
            1 => Ok(First::Right),
            // A limit beyond what one call takes is as good as none here: 49 days.
            WAIT_TIMEOUT => Ok(First::TimedOut),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// The system takes milliseconds, and the greatest number for no limit.
fn milliseconds(deadline: Deadline) -> u32 {
    deadline.left().map_or(u32::MAX, |left| {
        let left = u32::try_from(left.as_nanos().div_ceil(1_000_000));
        left.unwrap_or(u32::MAX).min(u32::MAX - 1)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_first_of_two_events_counts() {
        let (left, right) = (Event::new().unwrap(), Event::new().unwrap());
        let at_once = Deadline::after(Some(Duration::ZERO));
        assert_eq!(left.or(&right, at_once).unwrap(), First::TimedOut);
        right.set();
        assert_eq!(left.or(&right, at_once).unwrap(), First::Right);
        left.set();
        assert_eq!(left.or(&right, at_once).unwrap(), First::Left);
    }

    #[test]
    fn only_no_limit_is_infinite() {
        assert_eq!(milliseconds(Deadline::after(None)), u32::MAX);
        let long = Deadline::after(Some(Duration::from_secs(1 << 40)));
        assert_eq!(milliseconds(long), u32::MAX - 1);
    }
}
