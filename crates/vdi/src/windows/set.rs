//! A set of the library.

use std::ptr;
use std::sync::OnceLock;
use std::time::Duration;

use super::apartment::{make_set, result};
use super::device::WindowsDevice;
use super::interfaces::ClientSet2;
use crate::code::VdCode;
use crate::config::SetConfig;
use crate::configuration::Configuration;
use crate::error::{CloseError, CreateError, OpenError, WaitError};
use crate::name::DeviceName;
use crate::native::RawVdConfig;
use crate::seam::{Cause, ClientDeviceLink, ClientSetLink};

/// An `IClientVirtualDeviceSet2`.
#[derive(Debug)]
pub(super) struct WindowsSet {
    object: ClientSet2,
    /// What the server answered, kept for the devices.
    max_transfer: OnceLock<usize>,
}

// SAFETY: the object lives in the multithreaded apartment. Creation, wait and close come one after
// another (the types above see to that), and `SignalAbort` is made to be called beside them.
unsafe impl Send for WindowsSet {}
// SAFETY: as above.
unsafe impl Sync for WindowsSet {}

impl WindowsSet {
    pub(super) fn create(config: &SetConfig) -> Result<Self, CreateError> {
        let native = |code| CreateError::Native { code };
        let object = make_set().map_err(native)?;
        let mut asked = RawVdConfig::asked(config);
        let instance = config.instance_name().map(wide);
        let instance = pointer(instance.as_ref());
        let name = wide(config.name().as_str());
        // SAFETY: names and configuration live through the call; no instance is the default one.
        let made = unsafe { object.create_ex(instance, name.as_ptr(), &raw mut asked) };
        result(made).map_err(native)?;
        Ok(Self::of(object))
    }

    /// The set of another process, which has created it and met the server.
    pub(super) fn open_in_secondary(
        set: &DeviceName,
        instance: Option<&str>,
    ) -> Result<Self, CreateError> {
        let native = |code| CreateError::Native { code };
        let object = make_set().map_err(native)?;
        let instance = instance.map(wide);
        let (instance, name) = (pointer(instance.as_ref()), wide(set.as_str()));
        // SAFETY: the names live through the call; no instance is the default one.
        let opened = unsafe { object.open_in_secondary_ex(instance, name.as_ptr()) };
        result(opened).map_err(native)?;
        Ok(Self::of(object))
    }

    fn of(object: ClientSet2) -> Self {
        let max_transfer = OnceLock::new();
        Self {
            object,
            max_transfer,
        }
    }
}

impl ClientSetLink for WindowsSet {
    fn wait(&self, timeout: Duration) -> Result<Option<Configuration>, WaitError> {
        let mut answer = RawVdConfig::default();
        // SAFETY: the answer lives through the call.
        let waited = unsafe {
            self.object
                .configuration(milliseconds(Some(timeout)), &raw mut answer)
        };
        match result(waited) {
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
        let mut device = ptr::null_mut();
        let text = wide(name.as_str());
        // SAFETY: name and result live through the call.
        let opened = unsafe { self.object.open_device(text.as_ptr(), &raw mut device) };
        let code = match result(opened) {
            Ok(()) => {
                let max_transfer = self.max_transfer.get().copied().unwrap_or_default();
                // SAFETY: the library gave the device, and it lives until the set is closed. The
                // link is used by one thread at a time and never after the close: the set's core
                // closes it only after the last device has finished.
                match unsafe { WindowsDevice::new(device, max_transfer) } {
                    Some(device) => return Ok(Box::new(device)),
                    None => VdCode::UNEXPECTED,
                }
            }
            Err(VdCode::ABORT) => return Err(OpenError::Aborted),
            Err(code) => code,
        };
        let name = name.clone();
        Err(OpenError::Native { name, code })
    }

    fn abort(&self, _cause: Cause) {
        // SAFETY: this call is for any thread. Its result says no more than that the set is over
        // already.
        let _ = unsafe { self.object.signal_abort() };
    }

    fn close(&self) -> Result<(), CloseError> {
        // SAFETY: nobody uses a device or a buffer.
        let closed = unsafe { self.object.close() };
        result(closed).map_err(|code| CloseError::Native { code })
    }
}

/// A name as Windows takes it. Names have no zero character.
fn wide(name: &str) -> Vec<u16> {
    name.encode_utf16()
        .filter(|&unit| unit != 0)
        .chain([0])
        .collect()
}

fn pointer(text: Option<&Vec<u16>>) -> *const u16 {
    text.map_or(ptr::null(), Vec::as_ptr)
}

/// The library takes milliseconds, and the greatest number for no limit.
pub(super) fn milliseconds(limit: Option<Duration>) -> u32 {
    limit.map_or(u32::MAX, |limit| {
        let limit = u32::try_from(limit.as_nanos().div_ceil(1_000_000));
        limit.unwrap_or(u32::MAX).min(u32::MAX - 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_milliseconds_and_only_no_limit_is_infinite() {
        assert_eq!(milliseconds(None), u32::MAX);
        assert_eq!(milliseconds(Some(Duration::from_micros(1))), 1);
        assert_eq!(milliseconds(Some(Duration::MAX)), u32::MAX - 1);
    }

    #[test]
    fn names_end_with_a_zero() {
        assert_eq!(wide("aé"), [97, 233, 0]);
    }
}
