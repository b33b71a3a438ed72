//! What is made with an access list: the ends of a pipe that its maker has, and folders.

use std::ffi::c_void;
use std::io;
use std::os::windows::io::{FromRawHandle, OwnedHandle, RawHandle};
use std::path::Path;
use std::ptr;

use super::descriptor::Descriptor;
use super::{FALSE, wide};

mod kernel32 {
    use super::{Attributes, RawHandle};

    windows_link::link!("kernel32.dll" "system" fn CreateNamedPipeW(
        name: *const u16,
        open_mode: u32,
        pipe_mode: u32,
        most_instances: u32,
        out_buffer: u32,
        in_buffer: u32,
        milliseconds: u32,
        attributes: *const Attributes
    ) -> RawHandle);
    windows_link::link!("kernel32.dll" "system" fn CreateDirectoryW(
        path: *const u16,
        attributes: *const Attributes
    ) -> i32);
}

/// The system's `SECURITY_ATTRIBUTES`.
#[repr(C)]
struct Attributes {
    length: u32,
    descriptor: *mut c_void,
    inherit: i32,
}

const PIPE_ACCESS_DUPLEX: u32 = 3;
const FILE_FLAG_OVERLAPPED: u32 = 0x4000_0000;
const FILE_FLAG_FIRST_PIPE_INSTANCE: u32 = 0x8_0000;
/// A stream of bytes whose calls wait is 0.
const PIPE_REJECT_REMOTE_CLIENTS: u32 = 8;
const PIPE_UNLIMITED_INSTANCES: u32 = 255;
/// Bytes that wait in the system, each way.
const BUFFER: u32 = 1 << 16;

impl Attributes {
    /// The descriptor has to live as long as they do.
    fn new(descriptor: &Descriptor) -> Self {
        let length = size_of::<Self>();
        Self {
            length: u32::try_from(length).unwrap_or_default(),
            descriptor: descriptor.raw(),
            inherit: 0,
        }
    }
}

/// Another end of the pipe, or its first one. The first one fails if there is such a pipe.
pub(super) fn instance(name: &str, access: &Descriptor, first: bool) -> io::Result<OwnedHandle> {
    let first = if first {
        FILE_FLAG_FIRST_PIPE_INSTANCE
    } else {
        0
    };
    let (name, attributes) = (wide(name), Attributes::new(access));
    // SAFETY: name, attributes and descriptor live through the call.
    let pipe = unsafe {
        kernel32::CreateNamedPipeW(
            name.as_ptr(),
            PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | first,
            PIPE_REJECT_REMOTE_CLIENTS,
            PIPE_UNLIMITED_INSTANCES,
            BUFFER,
            BUFFER,
            0,
            &raw const attributes,
        )
    };
    if pipe.is_null() || pipe == ptr::without_provenance_mut(usize::MAX) {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call just gave the handle, and nobody else has it.
    Ok(unsafe { OwnedHandle::from_raw_handle(pipe) })
}

/// Makes a folder with that access list; fails if there is one.
pub(super) fn create_folder(path: &Path, access: &Descriptor) -> io::Result<()> {
    let (path, attributes) = (wide(&path.to_string_lossy()), Attributes::new(access));
    // SAFETY: path, attributes and descriptor live through the call.
    let made = unsafe { kernel32::CreateDirectoryW(path.as_ptr(), &raw const attributes) };
    if made == FALSE {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
