//! A device of the library.

use std::ffi::c_ulong;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use super::set::{milliseconds, result};
use super::symbols::{Symbols, This};
use crate::code::VdCode;
use crate::error::DeviceError;
use crate::native::CommandPointer;
use crate::seam::{ClientDeviceLink, Completion, Received, Ticket};

/// A `ClientVirtualDevice`. The library owns it; the set's close takes it away.
#[derive(Debug)]
pub(super) struct LinuxDevice {
    symbols: Arc<Symbols>,
    device: This,
    max_transfer: usize,
}

// SAFETY: a device may be used by any thread, one at a time, which the device's owner sees to.
unsafe impl Send for LinuxDevice {}

impl LinuxDevice {
    /// # Safety
    /// `device` was given by `OpenDevice`. The link is not used any more when its set is closed.
    pub(super) unsafe fn new(symbols: Arc<Symbols>, device: This, max_transfer: usize) -> Self {
        Self {
            symbols,
            device,
            max_transfer,
        }
    }
}

impl ClientDeviceLink for LinuxDevice {
    fn receive(&self, timeout: Option<Duration>) -> Result<Received, DeviceError> {
        let mut command = ptr::null_mut();
        let timeout = milliseconds(timeout);
        // SAFETY: the device lives, by the promise to `new`; the result lives through the call.
        let code = unsafe { (self.symbols.device_command)(self.device, timeout, &raw mut command) };
        match result(code) {
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
        let bytes = c_ulong::try_from(completion.bytes).unwrap_or(c_ulong::MAX);
        let code = completion.code.0.cast_signed();
        // The way to the command's memory ends before the server may use it again.
        drop(completion.buffer);
        // SAFETY: the device lives, by the promise to `new`; the command was given by it and was
        // not completed yet, because its ticket is used up here.
        let code = unsafe {
            (self.symbols.device_complete)(self.device, command.as_ptr(), code, bytes, 0)
        };
        match result(code) {
            Ok(()) => Ok(()),
            Err(VdCode::ABORT) => Err(DeviceError::Aborted),
            Err(code) => Err(DeviceError::Native { code }),
        }
    }
}
