//! Mapped memory that another process has too.

use std::ffi::c_void;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle, RawHandle};
use std::ptr::{self, NonNull};

use super::process::{self, TAKE_HANDLES};
use super::socket::Socket;
use crate::clock::Deadline;
use crate::pipe::message::receive_exact;

mod kernel32 {
    use super::{RawHandle, c_void};

    windows_link::link!("kernel32.dll" "system" fn CreateFileMappingW(
        file: RawHandle,
        attributes: *const c_void,
        protection: u32,
        length_high: u32,
        length_low: u32,
        name: *const u16
    ) -> RawHandle);
    windows_link::link!("kernel32.dll" "system" fn MapViewOfFile(
        mapping: RawHandle,
        access: u32,
        offset_high: u32,
        offset_low: u32,
        length: usize
    ) -> *mut c_void);
    windows_link::link!("kernel32.dll" "system" fn UnmapViewOfFile(start: *const c_void) -> i32);
}

mod ntdll {
    use super::{RawHandle, Section};

    windows_link::link!("ntdll.dll" "system" fn NtQuerySection(
        section: RawHandle,
        class: u32,
        into: *mut Section,
        length: usize,
        needed: *mut usize
    ) -> i32);
}

/// The system's `SECTION_BASIC_INFORMATION`.
#[repr(C)]
#[derive(Default)]
struct Section {
    base: usize,
    attributes: u32,
    length: i64,
}

/// What the other side needs to map the memory too.
pub(in crate::pipe) type Shared = OwnedHandle;

/// A mapping. It stays as long as this exists.
#[derive(Debug)]
pub(in crate::pipe) struct View {
    start: NonNull<u8>,
}

const PAGE_READWRITE: u32 = 4;
const SEC_FILE: u32 = 0x80_0000;
const SEC_COMMIT: u32 = 0x800_0000;
/// To write, to read, and to ask what it is.
const MAP_AND_ASK: u32 = 2 | 4 | 1;
const WRITE_AND_READ: u32 = 2 | 4;
/// Goes before the number of the handle.
const WORD: u8 = b'M';

impl View {
    /// New memory, full of zeros.
    pub(in crate::pipe) fn create(length: usize) -> io::Result<(Self, Shared)> {
        let length_64 = u64::try_from(length).map_err(|_| io::ErrorKind::InvalidInput)?;
        let half = |number| u32::try_from(number).unwrap_or(u32::MAX);
        // SAFETY: no attributes and no name; no file means memory of the system's.
        let mapping = unsafe {
            kernel32::CreateFileMappingW(
                ptr::without_provenance_mut(usize::MAX),
                ptr::null(),
                PAGE_READWRITE | SEC_COMMIT,
                half(length_64 >> 32),
                half(length_64 & u64::from(u32::MAX)),
                ptr::null(),
            )
        };
        if mapping.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call just gave the handle, and nobody else has it.
        let shared = unsafe { OwnedHandle::from_raw_handle(mapping) };
        let view = Self::map(&shared, length)?;
        Ok((view, shared))
    }

    /// Memory that the other side made: it must be memory of the system's, which nobody can take
    /// away, and long enough.
    pub(in crate::pipe) fn open(shared: &Shared, length: usize) -> io::Result<Self> {
        let mut section = Section::default();
        // SAFETY: the handle lives, and the result has the length that is said.
        let status = unsafe {
            let into = &raw mut section;
            let size = size_of::<Section>();
            ntdll::NtQuerySection(shared.as_raw_handle(), 0, into, size, ptr::null_mut())
        };
        let is_memory = section.attributes & (SEC_FILE | SEC_COMMIT) == SEC_COMMIT;
        let is_long_enough = usize::try_from(section.length).is_ok_and(|found| found >= length);
        if status < 0 || !is_memory || !is_long_enough {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Self::map(shared, length)
    }

    fn map(shared: &Shared, length: usize) -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the system's choice touches nothing that is
        // there. It is of memory that is as long and stays.
        let start = unsafe {
            kernel32::MapViewOfFile(shared.as_raw_handle(), WRITE_AND_READ, 0, 0, length)
        };
        match NonNull::new(start.cast()) {
            Some(start) => Ok(Self { start }),
            None => Err(io::Error::last_os_error()),
        }
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
        let _ = unsafe { kernel32::UnmapViewOfFile(self.start.as_ptr().cast()) };
    }
}

/// Whether the other side could send memory: this process may take it out of that one.
pub(in crate::pipe) fn can_receive(socket: &Socket) -> bool {
    let pipe = socket.pipe();
    pipe.is_some_and(|pipe| process::client(&pipe, TAKE_HANDLES).is_ok())
}

/// Offers memory to the other side, which takes it as long as `shared` lives.
pub(in crate::pipe) fn send(
    socket: &Socket,
    shared: &Shared,
    deadline: Deadline,
) -> io::Result<()> {
    let number = u64::try_from(shared.as_raw_handle().addr()).unwrap_or_default();
    socket.send(&[WORD], &number.to_le_bytes(), deadline)
}

/// Takes memory that the other side offers.
pub(in crate::pipe) fn receive(socket: &Socket, deadline: Deadline) -> io::Result<Shared> {
    let mut message = [0; 9];
    receive_exact(socket, &mut message, deadline)?;
    let [WORD, number @ ..] = message else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let pipe = socket.pipe().ok_or(io::ErrorKind::NotConnected)?;
    let process = process::client(&pipe, TAKE_HANDLES)?;
    process::take(&process, u64::from_le_bytes(number), MAP_AND_ASK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn never() -> Deadline {
        Deadline::after(None)
    }

    #[test]
    fn memory_goes_through_a_connection() {
        let (near, far) = Socket::pair().unwrap();
        assert!(can_receive(&near));
        let (_view, shared) = View::create(8192).unwrap();
        send(&far, &shared, never()).unwrap();
        let received = receive(&near, never()).unwrap();
        drop(shared);
        assert!(View::open(&received, 8192).is_ok());
        assert!(
            View::open(&received, 1 << 20).is_err(),
            "it is not that long"
        );
    }

    #[test]
    fn what_is_no_memory_is_refused() {
        let (near, far) = Socket::pair().unwrap();
        let event = super::super::event::Event::new().unwrap();
        let event = u64::try_from(event.raw().addr()).unwrap();
        // No handle, a handle of something else, and what stands for the process itself.
        for number in [0x7654_3210, event, u64::MAX] {
            far.send(&[WORD], &number.to_le_bytes(), never()).unwrap();
            let opened = receive(&near, never()).and_then(|shared| View::open(&shared, 4096));
            assert!(opened.is_err(), "{number:#x}");
        }
    }

    #[test]
    fn a_file_is_refused_because_it_can_fail() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(8192).unwrap();
        // SAFETY: the file's handle lives through the call; no attributes and no name.
        let shared = unsafe {
            let mapping = kernel32::CreateFileMappingW(
                file.as_raw_handle(),
                ptr::null(),
                PAGE_READWRITE,
                0,
                8192,
                ptr::null(),
            );
            assert!(!mapping.is_null());
            OwnedHandle::from_raw_handle(mapping)
        };
        assert!(View::open(&shared, 8192).is_err());
    }
}
