//! How an object of the library comes to be.

use std::ffi::c_void;
use std::ptr;
use std::thread;

use windows_core::{GUID, HRESULT, Interface};

use super::interfaces::{CLIENT_SET_CLASS, ClientSet2};
use crate::code::VdCode;

/// In this process.
const CLSCTX_INPROC_SERVER: u32 = 1;

mod ole32 {
    use super::{GUID, HRESULT, c_void};

    windows_link::link!("ole32.dll" "system" fn CoIncrementMTAUsage(
        cookie: *mut *mut c_void
    ) -> HRESULT);
    windows_link::link!("ole32.dll" "system" fn CoCreateInstance(
        class: *const GUID,
        outer: *mut c_void,
        context: u32,
        interface: *const GUID,
        object: *mut *mut c_void
    ) -> HRESULT);
}

/// Keeps the process's multithreaded apartment, in which the objects live and every thread that
/// was not initialised otherwise finds itself.
pub(super) fn keep_multithreaded() -> Result<(), VdCode> {
    let mut cookie = ptr::null_mut();
    // SAFETY: the result lives through the call. The usage is never given back, because objects
    // may live as long as the process.
    result(unsafe { ole32::CoIncrementMTAUsage(&raw mut cookie) })
}

/// An object that may be moved to the thread that asked for it.
struct Made(ClientSet2);

// SAFETY: the object was made in the multithreaded apartment, whose objects any thread may use.
unsafe impl Send for Made {}

/// Makes a set object, in the multithreaded apartment whatever the calling thread is in.
pub(super) fn make_set() -> Result<ClientSet2, VdCode> {
    let maker = thread::Builder::new().name("vdi-set".into()).spawn(|| {
        let mut object = ptr::null_mut();
        // SAFETY: class and interface are constants, the result lives through the call.
        result(unsafe {
            ole32::CoCreateInstance(
                &CLIENT_SET_CLASS,
                ptr::null_mut(),
                CLSCTX_INPROC_SERVER,
                &ClientSet2::IID,
                &raw mut object,
            )
        })?;
        if object.is_null() {
            return Err(VdCode::UNEXPECTED);
        }
        // SAFETY: the call gave an object with this interface, counted once for the caller.
        Ok(Made(unsafe { ClientSet2::from_raw(object) }))
    });
    let made = maker.ok().and_then(|maker| maker.join().ok());
    made.unwrap_or(Err(VdCode::UNEXPECTED)).map(|made| made.0)
}

pub(super) fn result(result: HRESULT) -> Result<(), VdCode> {
    let code = VdCode::from_signed(result.0);
    if code.is_success() { Ok(()) } else { Err(code) }
}
