//! A device of the library.

use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};
use std::time::Duration;

use windows_core::Interface;

use super::apartment::result;
use super::interfaces::ClientDevice;
use super::set::milliseconds;
use crate::code::VdCode;
use crate::error::DeviceError;
use crate::native::CommandPointer;
use crate::seam::{ClientDeviceLink, Completion, Received, Ticket};

/// An `IClientVirtualDevice`. It is never released: the set's close takes it away, after which its
/// address means nothing.
#[derive(Debug)]
pub(super) struct WindowsDevice {
    object: ManuallyDrop<ClientDevice>,
    max_transfer: usize,
}

// SAFETY: the object lives in the multithreaded apartment and may be used by any thread, one at a
// time, which the device's owner sees to.
unsafe impl Send for WindowsDevice {}

impl WindowsDevice {
    /// # Safety
    /// `device` is null or was given by `OpenDevice`. The link is not used any more when its set
    /// is closed.
    pub(super) unsafe fn new(device: *mut c_void, max_transfer: usize) -> Option<Self> {
        let device = NonNull::new(device)?;
        // SAFETY: it is a device by the contract of this function, and its count is left alone.
        let object = ManuallyDrop::new(unsafe { ClientDevice::from_raw(device.as_ptr()) });
        Some(Self {
            object,
            max_transfer,
        })
    }
}

impl ClientDeviceLink for WindowsDevice {
    fn receive(&self, timeout: Option<Duration>) -> Result<Received, DeviceError> {
        let mut command = ptr::null_mut();
        // SAFETY: the device lives, by the promise to `new`; the result lives through the call.
        let got = unsafe { self.object.command(milliseconds(timeout), &raw mut command) };
        match result(got) {
            Ok(()) => {}
            Err(VdCode::CLOSE) => return Ok(Received::Ended),
            Err(VdCode::TIMEOUT) => return Ok(Received::TimedOut),
            Err(VdCode::ABORT) => return Err(DeviceError::Aborted),
            Err(code) => return Err(DeviceError::Native { code }),
        }
        // SAFETY: the library just gave the command; it and its buffer belong to this side until
        // the command is completed.
        let command = unsafe { CommandPointer::read(command, self.max_transfer) };
        let command = command.map_err(|reason| DeviceError::Protocol { reason })?;
        Ok(Received::Command(command))
    }

    fn complete(&self, completion: Completion) -> Result<(), DeviceError> {
        let Ticket::Native(command) = completion.ticket else {
            let reason = "a command of another back end".into();
            return Err(DeviceError::Protocol { reason });
        };
        let bytes = u32::try_from(completion.bytes).unwrap_or(u32::MAX);
        let code = completion.code.0;
        // The way to the command's memory ends before the server may use it again.
        drop(completion.buffer);
        // SAFETY: the device lives, by the promise to `new`; the command was given by it and was
        // not completed yet, because its ticket is used up here.
        let completed = unsafe { self.object.complete(command.as_ptr(), code, bytes, 0) };
        match result(completed) {
            Ok(()) => Ok(()),
            Err(VdCode::ABORT) => Err(DeviceError::Aborted),
            Err(code) => Err(DeviceError::Native { code }),
        }
    }
}
