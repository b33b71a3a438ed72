//! The process at the other end of a pipe.

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle, RawHandle};
use std::ptr;

use super::FALSE;

mod kernel32 {
    use super::RawHandle;

    windows_link::link!("kernel32.dll" "system" fn GetNamedPipeClientProcessId(
        pipe: RawHandle,
        process: *mut u32
    ) -> i32);
    windows_link::link!("kernel32.dll" "system" fn OpenProcess(
        access: u32,
        inherit: i32,
        process: u32
    ) -> RawHandle);
    windows_link::link!("kernel32.dll" "system" fn GetCurrentProcess() -> RawHandle);
    windows_link::link!("kernel32.dll" "system" fn DuplicateHandle(
        from: RawHandle,
        handle: RawHandle,
        to: RawHandle,
        result: *mut RawHandle,
        access: u32,
        inherit: i32,
        options: u32
    ) -> i32);
}

/// To ask whose process it is.
pub(super) const LOOK_AT: u32 = 0x1000;
/// To take handles that it offers.
pub(super) const TAKE_HANDLES: u32 = 0x40;

/// The process that connected to a pipe.
pub(super) fn client(pipe: &OwnedHandle, access: u32) -> io::Result<OwnedHandle> {
    let mut id = 0;
    // SAFETY: the handle and the result live through the call.
    let told = unsafe { kernel32::GetNamedPipeClientProcessId(pipe.as_raw_handle(), &raw mut id) };
    if told == FALSE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call takes numbers; its result is checked before it is used.
    let process = unsafe { kernel32::OpenProcess(access, FALSE, id) };
    if process.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call just gave the handle, and nobody else has it.
    Ok(unsafe { OwnedHandle::from_raw_handle(process) })
}

/// Takes a copy of a handle of that process, with no more than this access.
pub(super) fn take(process: &OwnedHandle, number: u64, access: u32) -> io::Result<OwnedHandle> {
    let number = usize::try_from(number).map_err(|_| io::ErrorKind::InvalidData)?;
    let mut taken = ptr::null_mut();
    // SAFETY: the process's handle and the result live through the call. The number is the other
    // process's affair: nothing of this one is reached by it.
    let done = unsafe {
        kernel32::DuplicateHandle(
            process.as_raw_handle(),
            ptr::without_provenance_mut(number),
            kernel32::GetCurrentProcess(),
            &raw mut taken,
            access,
            FALSE,
            0,
        )
    };
    if done == FALSE || taken.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call just gave the handle, and nobody else has it.
    Ok(unsafe { OwnedHandle::from_raw_handle(taken) })
}
