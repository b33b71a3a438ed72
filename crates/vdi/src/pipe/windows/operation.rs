//! Reads, writes and waits for connections that end in time.
//!
//! Each begins, is waited for, and is over when the call returns: what was given to the system
//! is never used by it any longer.

use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, RawHandle};
use std::ptr;

use super::FALSE;
use super::event::{Event, First};
use crate::clock::Deadline;

mod kernel32 {
    use super::{Overlapped, RawHandle};

    windows_link::link!("kernel32.dll" "system" fn ReadFile(
        file: RawHandle,
        buffer: *mut u8,
        bytes: u32,
        read: *mut u32,
        overlapped: *mut Overlapped
    ) -> i32);
    windows_link::link!("kernel32.dll" "system" fn WriteFile(
        file: RawHandle,
        buffer: *const u8,
        bytes: u32,
        written: *mut u32,
        overlapped: *mut Overlapped
    ) -> i32);
    windows_link::link!("kernel32.dll" "system" fn ConnectNamedPipe(
        pipe: RawHandle,
        overlapped: *mut Overlapped
    ) -> i32);
    windows_link::link!("kernel32.dll" "system" fn PeekNamedPipe(
        pipe: RawHandle,
        buffer: *mut u8,
        bytes: u32,
        read: *mut u32,
        available: *mut u32,
        left: *mut u32
    ) -> i32);
    windows_link::link!("kernel32.dll" "system" fn CancelIoEx(
        file: RawHandle,
        overlapped: *mut Overlapped
    ) -> i32);
    windows_link::link!("kernel32.dll" "system" fn GetOverlappedResult(
        file: RawHandle,
        overlapped: *mut Overlapped,
        bytes: *mut u32,
        wait: i32
    ) -> i32);
}

const ERROR_BROKEN_PIPE: i32 = 109;
const ERROR_NO_DATA: i32 = 232;
const ERROR_PIPE_NOT_CONNECTED: i32 = 233;
const ERROR_PIPE_CONNECTED: i32 = 535;
const ERROR_OPERATION_ABORTED: i32 = 995;
const ERROR_IO_PENDING: i32 = 997;

/// The system's `OVERLAPPED`, without a position.
#[repr(C)]
struct Overlapped {
    internal: [usize; 2],
    position: u64,
    event: RawHandle,
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// With so many bytes.
    Done(usize),
    TimedOut,
    /// The other event came first.
    Stopped,
    /// There is nobody at the other end.
    Cut,
}

/// Bytes that can be read at once; `None` at the end of the stream.
pub(super) fn available(pipe: BorrowedHandle<'_>) -> io::Result<Option<usize>> {
    let (none, mut bytes) = (ptr::null_mut(), 0);
    // SAFETY: the pipe and the result live through the call; nothing else is asked for.
    let told = unsafe {
        let pipe = pipe.as_raw_handle();
        kernel32::PeekNamedPipe(
            pipe,
            none,
            0,
            ptr::null_mut(),
            &raw mut bytes,
            ptr::null_mut(),
        )
    };
    if told == FALSE {
        return match ended_by(io::Error::last_os_error(), None)? {
            Ended::Cut => Ok(None),
            other => Err(io::Error::other(format!("{other:?}"))),
        };
    }
    Ok(Some(usize::try_from(bytes).unwrap_or(usize::MAX)))
}

/// What all operations on a pipe need.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait<'a> {
    pub(super) pipe: BorrowedHandle<'a>,
    /// Belongs to this operation alone.
    pub(super) event: &'a Event,
    /// Ends the wait.
    pub(super) stop: &'a Event,
    pub(super) deadline: Deadline,
}

impl Wait<'_> {
    /// Reads some bytes.
    pub(super) fn read(self, into: &mut [u8]) -> io::Result<Ended> {
        let (to, bytes) = (into.as_mut_ptr(), length(into));
        // SAFETY: the room is borrowed alone until the operation is over.
        unsafe {
            self.run(|pipe, overlapped| {
                kernel32::ReadFile(pipe, to, bytes, ptr::null_mut(), overlapped)
            })
        }
    }

    /// Writes some bytes.
    pub(super) fn write(self, from: &[u8]) -> io::Result<Ended> {
        // SAFETY: the bytes are borrowed until the operation is over.
        unsafe {
            self.run(|pipe, overlapped| {
                let (from, bytes) = (from.as_ptr(), length(from));
                kernel32::WriteFile(pipe, from, bytes, ptr::null_mut(), overlapped)
            })
        }
    }

    /// Waits until somebody connects to the pipe.
    pub(super) fn connection(self) -> io::Result<Ended> {
        // SAFETY: the operation uses no memory.
        let ended =
            unsafe { self.run(|pipe, overlapped| kernel32::ConnectNamedPipe(pipe, overlapped)) };
        match ended {
            // Somebody was faster than the call, and perhaps is gone already.
            Err(error) if error.raw_os_error() == Some(ERROR_PIPE_CONNECTED) => Ok(Ended::Done(0)),
            Ok(Ended::Cut) => Ok(Ended::Done(0)),
            other => other,
        }
    }

    /// Runs one operation to its end.
    ///
    /// # Safety
    /// `begin` begins at most one operation on the pipe, with what it is given. The memory of the
    /// operation lives as long as this call.
    unsafe fn run(
        self,
        begin: impl FnOnce(RawHandle, *mut Overlapped) -> i32,
    ) -> io::Result<Ended> {
        let pipe = self.pipe.as_raw_handle();
        let mut overlapped = Overlapped {
            internal: [0; 2],
            position: 0,
            event: self.event.raw(),
        };
        let overlapped = &raw mut overlapped;
        let mut early = None;
        if begin(pipe, overlapped) == FALSE {
            let error = io::Error::last_os_error();
            if error.raw_os_error() != Some(ERROR_IO_PENDING) {
                return ended_by(error, None);
            }
            early = match self.event.or(self.stop, self.deadline) {
                Ok(First::Left) => None,
                Ok(First::Right) => Some(Ok(Ended::Stopped)),
                Ok(First::TimedOut) => Some(Ok(Ended::TimedOut)),
                Err(error) => Some(Err(error)),
            };
            if early.is_some() {
                // SAFETY: the pipe and the operation's record live. It fails if the operation has
                // just ended.
                let _ = unsafe { kernel32::CancelIoEx(pipe, overlapped) };
            }
        }
        let mut bytes = 0;
        // SAFETY: the pipe and the operation's record live. This waits until the operation is
        // over, which is now or, after the cancellation, soon.
        let done = unsafe { kernel32::GetOverlappedResult(pipe, overlapped, &raw mut bytes, 1) };
        if done == FALSE {
            return ended_by(io::Error::last_os_error(), early);
        }
        Ok(Ended::Done(usize::try_from(bytes).unwrap_or(usize::MAX)))
    }
}

fn ended_by(error: io::Error, early: Option<io::Result<Ended>>) -> io::Result<Ended> {
    match (error.raw_os_error(), early) {
        (Some(ERROR_OPERATION_ABORTED), Some(early)) => early,
        (Some(ERROR_BROKEN_PIPE | ERROR_NO_DATA | ERROR_PIPE_NOT_CONNECTED), _) => Ok(Ended::Cut),
        _ => Err(error),
    }
}

/// As much as one operation takes.
fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
