//! A set of the library.

use std::cell::UnsafeCell;
use std::ffi::{CString, c_int, c_long};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use super::device::LinuxDevice;
use super::symbols::{Symbols, This};
use crate::code::VdCode;
use crate::config::SetConfig;
use crate::configuration::Configuration;
use crate::error::{CloseError, CreateError, OpenError, WaitError};
use crate::name::DeviceName;
use crate::native::RawVdConfig;
use crate::seam::{Cause, ClientDeviceLink, ClientSetLink};

/// A `ClientVirtualDeviceSet`.
#[derive(Debug)]
pub(super) struct LinuxSet {
    symbols: Arc<Symbols>,
    object: Box<Object>,
    /// What the server answered, kept for the devices.
    max_transfer: std::sync::OnceLock<usize>,
}

/// Room for the C++ object: it is one pointer; more is kept for versions that are not known.
#[derive(Debug)]
#[repr(C, align(16))]
struct Object(UnsafeCell<[u64; 16]>);

// SAFETY: the library's functions on a set may be called from any thread: creation, wait and close
// come one after another (the types above see to that), and `SignalAbort` is made to be called
// beside them. The room itself is touched by the library alone.
unsafe impl Send for LinuxSet {}
// SAFETY: as above.
unsafe impl Sync for LinuxSet {}

impl LinuxSet {
    pub(super) fn create(symbols: Arc<Symbols>, config: &SetConfig) -> Result<Self, CreateError> {
        let mut asked = RawVdConfig::asked(config);
        let name = c_name(config.name());
        let set = Self {
            symbols,
            object: Box::new(Object(UnsafeCell::new([0; 16]))),
            max_transfer: std::sync::OnceLock::new(),
        };
        // SAFETY: the room is large enough and aligned, and no object is in it yet. From here on
        // there is one, which the drop of `set` takes down.
        unsafe { (set.symbols.set_new)(set.this()) };
        // SAFETY: the object exists, name and configuration live through the call. The library
        // declares the name mutable and only reads it.
        let code = unsafe {
            (set.symbols.set_create)(set.this(), name.as_ptr().cast_mut(), &raw mut asked)
        };
        match result(code) {
            Ok(()) => Ok(set),
            Err(code) => Err(CreateError::Native { code }),
        }
    }

    fn this(&self) -> This {
        self.object.0.get().cast()
    }
}

impl ClientSetLink for LinuxSet {
    fn wait(&self, timeout: Duration) -> Result<Option<Configuration>, WaitError> {
        let mut answer = RawVdConfig::default();
        let timeout = milliseconds(Some(timeout));
        // SAFETY: the object exists until `self` is dropped; the answer lives through the call.
        let code =
            unsafe { (self.symbols.set_configuration)(self.this(), timeout, &raw mut answer) };
        match result(code) {
            Ok(()) => {}
            Err(VdCode::TIMEOUT) => return Ok(None),
            Err(VdCode::ABORT) => return Err(WaitError::Aborted),
            Err(code) => return Err(WaitError::Native { code }),
        }
        match answer.agreed() {
            Ok(configuration) => {
                self.max_transfer
                    .get_or_init(|| configuration.geometry.max_len());
                Ok(Some(configuration))
            }
            Err(reason) => {
                self.abort(Cause::Asked);
                Err(WaitError::Configuration { reason })
            }
        }
    }

    fn open_device(
        &self,
        _index: usize,
        name: &DeviceName,
    ) -> Result<Box<dyn ClientDeviceLink>, OpenError> {
        let mut device: This = ptr::null_mut();
        let text = c_name(name);
        // SAFETY: the object exists until `self` is dropped; name and result live through the
        // call. The library declares the name mutable and only reads it.
        let code = unsafe {
            (self.symbols.set_open_device)(self.this(), text.as_ptr().cast_mut(), &raw mut device)
        };
        let code = match result(code) {
            Ok(()) if device.is_null() => VdCode::UNEXPECTED,
            Ok(()) => {
                let symbols = Arc::clone(&self.symbols);
                let max_transfer = self.max_transfer.get().copied().unwrap_or_default();
                // SAFETY: the library gave the device, and it lives until the set is closed. The
                // link is used by one thread at a time and never after the close: the set's core
                // closes it only after the last device has finished.
                let device = unsafe { LinuxDevice::new(symbols, device, max_transfer) };
                return Ok(Box::new(device));
            }
            Err(VdCode::ABORT) => return Err(OpenError::Aborted),
            Err(code) => code,
        };
        let name = name.clone();
        Err(OpenError::Native { name, code })
    }

    fn abort(&self, _cause: Cause) {
        // SAFETY: the object exists until `self` is dropped, and this call is for any thread. Its
        // result says no more than that the set is over already.
        unsafe { (self.symbols.set_abort)(self.this()) };
    }

    fn close(&self) -> Result<(), CloseError> {
        // SAFETY: the object exists until `self` is dropped; nobody uses a device or a buffer.
        let code = unsafe { (self.symbols.set_close)(self.this()) };
        result(code).map_err(|code| CloseError::Native { code })
    }
}

impl Drop for LinuxSet {
    fn drop(&mut self) {
        // SAFETY: the object exists and nobody has another reference to it.
        unsafe { (self.symbols.set_drop)(self.this()) };
    }
}

/// Names have no zero byte: they have no control character.
fn c_name(name: &DeviceName) -> CString {
    CString::new(name.as_str()).unwrap_or_default()
}

/// The library takes milliseconds, and a negative number for no limit.
pub(super) fn milliseconds(limit: Option<Duration>) -> c_long {
    limit.map_or(-1, |limit| {
        c_long::try_from(limit.as_nanos().div_ceil(1_000_000)).unwrap_or(c_long::MAX)
    })
}

pub(super) fn result(code: c_int) -> Result<(), VdCode> {
    let code = VdCode::from_signed(code);
    if code.is_success() { Ok(()) } else { Err(code) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_milliseconds_and_never_shorter_than_asked_for() {
        assert_eq!(milliseconds(None), -1);
        assert_eq!(milliseconds(Some(Duration::ZERO)), 0);
        assert_eq!(milliseconds(Some(Duration::from_secs(90))), 90_000);
        assert_eq!(milliseconds(Some(Duration::from_nanos(1))), 1);
        assert!(milliseconds(Some(Duration::MAX)) > 0);
    }
}
