//! What a back end has to offer. All back ends sit behind these traits, under one public API.

use std::fmt;
use std::time::Duration;

use crate::buffer::Buffer;
use crate::code::{CommandCode, CompletionCode};
use crate::configuration::Configuration;
use crate::error::{CloseError, DeviceError, EngineError, OpenError, WaitError};
use crate::name::DeviceName;

/// Names an outstanding command of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ticket {
    /// A number that the engine gave the command.
    Number(u64),
    /// Where the command is in the server's interface.
    #[cfg(any(target_os = "linux", windows))]
    Native(crate::native::CommandPointer),
}

#[cfg(any(unix, windows))]
impl Ticket {
    /// The number, if it is one.
    pub(crate) fn number(self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(number),
            #[cfg(any(target_os = "linux", windows))]
            Self::Native(_) => None,
        }
    }
}

/// A command on its way to the client.
#[derive(Debug)]
pub(crate) struct RawCommand {
    pub(crate) code: CommandCode,
    /// Bytes to write or to read; at most the buffer's length.
    pub(crate) size: usize,
    pub(crate) ticket: Ticket,
    pub(crate) buffer: Buffer,
}

/// A command on its way back.
#[derive(Debug)]
pub(crate) struct Completion {
    pub(crate) ticket: Ticket,
    pub(crate) command: CommandCode,
    pub(crate) code: CompletionCode,
    /// Bytes written or read.
    pub(crate) bytes: usize,
    pub(crate) buffer: Buffer,
}

/// What a client's wait for a command gave.
#[derive(Debug)]
pub(crate) enum Received {
    Command(RawCommand),
    TimedOut,
    Ended,
}

/// Why a set ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Somebody asked for it.
    Asked,
    /// One side let go of a part that had not ended.
    Abandoned,
}

/// A client's set.
pub(crate) trait ClientSetLink: Send + Sync + fmt::Debug {
    /// Waits for the engine; `None` when it did not come in time.
    fn wait(&self, timeout: Duration) -> Result<Option<Configuration>, WaitError>;
    /// Opens one device; called once per device, after `wait` gave a configuration.
    fn open_device(
        &self,
        index: usize,
        name: &DeviceName,
    ) -> Result<Box<dyn ClientDeviceLink>, OpenError>;
    /// Ends everything; from any thread, any number of times, never after `close`.
    fn abort(&self, cause: Cause);
    /// Gives everything back; called at most once, when no device is used any more.
    fn close(&self) -> Result<(), CloseError>;
}

/// A client's device. Only one thread uses it.
pub(crate) trait ClientDeviceLink: Send + fmt::Debug {
    fn receive(&self, timeout: Option<Duration>) -> Result<Received, DeviceError>;
    fn complete(&self, completion: Completion) -> Result<(), DeviceError>;
    /// How many buffers may be kept from now on; nothing where the memory is another process's.
    fn keep_at_most(&self, _buffers: usize) {}
}

/// An engine's set.
pub(crate) trait EngineSetLink: Send + Sync + fmt::Debug {
    fn abort(&self, cause: Cause);
    /// All devices were closed.
    fn close(&self);
}

/// An engine's device. Only one thread uses it.
pub(crate) trait EngineDeviceLink: Send + fmt::Debug {
    /// A free buffer of the greatest transfer's length; waits for one.
    fn buffer(&mut self, timeout: Option<Duration>) -> Result<Buffer, EngineError>;
    /// Gives a buffer back unused, or after its content was taken.
    fn recycle(&mut self, buffer: Buffer);
    fn submit(&mut self, command: RawCommand) -> Result<(), EngineError>;
    /// The next completed command; `None` when none is there within the time.
    fn reap(&mut self, timeout: Option<Duration>) -> Result<Option<Completion>, EngineError>;
    /// The normal end; nothing is outstanding.
    fn close(&mut self) -> Result<(), EngineError>;
}
