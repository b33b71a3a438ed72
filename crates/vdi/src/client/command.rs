//! The commands a client serves, each as a type of its own.

use std::fmt;

use super::device::Device;
use crate::buffer::Buffer;
use crate::code::{CommandCode, CompletionCode};
use crate::error::DeviceError;
use crate::seam::{Completion, RawCommand, Ticket};

/// A command of the engine.
///
/// Completing it consumes it, so its buffer cannot be used any more. A command that is dropped
/// instead is completed with [`CompletionCode::OPERATION_ABORTED`], which makes the engine fail
/// the operation.
///
/// ```compile_fail
/// fn try_it(command: vab_vdi::WriteCommand<'_>) {
///     let data = command.data();
///     command.complete().unwrap();
///     println!("{}", data.len());
/// }
/// ```
#[derive(Debug)]
pub enum Command<'d> {
    /// Save bytes.
    Write(WriteCommand<'d>),
    /// Give bytes.
    Read(ReadCommand<'d>),
    /// Make durable what was written.
    Flush(FlushCommand<'d>),
    /// Finish the medium: the stream is whole.
    Complete(CompleteCommand<'d>),
}

/// Save these bytes as the next ones of the stream.
#[derive(Debug)]
#[must_use = "a dropped command fails the operation"]
pub struct WriteCommand<'d>(Held<'d>);

impl WriteCommand<'_> {
    /// The bytes, at most the greatest transfer of the set.
    pub fn data(&self) -> &[u8] {
        self.0.bytes()
    }

    /// All bytes were taken. They need not be durable before the next flush.
    ///
    /// # Errors
    /// When the device is dead.
    pub fn complete(self) -> Result<(), DeviceError> {
        let size = self.0.size;
        self.0.complete(CompletionCode::SUCCESS, size)
    }

    /// The bytes could not be saved; the engine fails the operation.
    ///
    /// # Errors
    /// When the device is dead.
    pub fn fail(self, code: CompletionCode) -> Result<(), DeviceError> {
        self.0.fail(code)
    }
}

/// Give the next bytes of the stream.
#[derive(Debug)]
#[must_use = "a dropped command fails the operation"]
pub struct ReadCommand<'d>(Held<'d>);

impl ReadCommand<'_> {
    /// Bytes asked for: a multiple of the block size, at most the greatest transfer.
    pub fn size(&self) -> usize {
        self.0.size
    }

    /// Room for the bytes. What it holds at first is not defined.
    pub fn buffer(&mut self) -> &mut [u8] {
        self.0.bytes_mut()
    }

    /// The first `bytes` bytes of the buffer are the next ones of the stream. All that were asked
    /// for are expected, except at the end of the stream.
    ///
    /// # Errors
    /// When `bytes` is more than the command's size (the command is failed then), or the device
    /// is dead.
    pub fn complete(self, bytes: usize) -> Result<(), DeviceError> {
        self.0.complete_read(CompletionCode::SUCCESS, bytes)
    }

    /// The first `bytes` bytes of the buffer, possibly none, are the last ones of the stream.
    ///
    /// # Errors
    /// As for [`complete`](Self::complete).
    pub fn complete_end_of_data(self, bytes: usize) -> Result<(), DeviceError> {
        self.0.complete_read(CompletionCode::HANDLE_EOF, bytes)
    }

    /// The bytes could not be read; the engine fails the operation.
    ///
    /// # Errors
    /// When the device is dead.
    pub fn fail(self, code: CompletionCode) -> Result<(), DeviceError> {
        self.0.fail(code)
    }
}

macro_rules! barrier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        #[must_use = "a dropped command fails the operation"]
        pub struct $name<'d>(Held<'d>);

        impl $name<'_> {
            /// It is done.
            ///
            /// # Errors
            /// When the device is dead.
            pub fn complete(self) -> Result<(), DeviceError> {
                self.0.complete(CompletionCode::SUCCESS, 0)
            }

            /// It could not be done; the engine fails the operation.
            ///
            /// # Errors
            /// When the device is dead.
            pub fn fail(self, code: CompletionCode) -> Result<(), DeviceError> {
                self.0.fail(code)
            }
        }
    };
}

barrier! {
    /// Make everything durable that was written to the device before this command.
    ///
    /// It may come several times and is not the end. Completing it early makes SQL Server
    /// truncate a log that was never saved.
    FlushCommand
}

barrier! {
    /// Everything was written: finish the medium, durably. Comes once, at the end, if the set's
    /// configuration has `complete_enabled`.
    CompleteCommand
}

impl<'d> Command<'d> {
    pub(super) fn write(held: Held<'d>) -> Self {
        Self::Write(WriteCommand(held))
    }

    pub(super) fn read(held: Held<'d>) -> Self {
        Self::Read(ReadCommand(held))
    }

    pub(super) fn flush(held: Held<'d>) -> Self {
        Self::Flush(FlushCommand(held))
    }

    pub(super) fn finish(held: Held<'d>) -> Self {
        Self::Complete(CompleteCommand(held))
    }

    /// Takes the command out of the hands of its types. Its device counts it as held until
    /// [`Device::complete`] is called for it, which the caller has to do.
    #[cfg(feature = "async")]
    pub(crate) fn detach(self) -> RawCommand {
        match self {
            Self::Write(WriteCommand(held))
            | Self::Read(ReadCommand(held))
            | Self::Flush(FlushCommand(held))
            | Self::Complete(CompleteCommand(held)) => held.detach(),
        }
    }
}

/// A command that was not completed yet.
pub(super) struct Held<'d> {
    device: &'d Device,
    code: CommandCode,
    ticket: Ticket,
    size: usize,
    buffer: Buffer,
    completed: bool,
}

impl<'d> Held<'d> {
    pub(super) fn new(device: &'d Device, raw: RawCommand) -> Self {
        Self {
            device,
            code: raw.code,
            ticket: raw.ticket,
            size: raw.size,
            buffer: raw.buffer,
            completed: false,
        }
    }

    fn bytes(&self) -> &[u8] {
        self.buffer.bytes().get(..self.size).unwrap_or_default()
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.buffer
            .bytes_mut()
            .get_mut(..self.size)
            .unwrap_or_default()
    }

    pub(super) fn complete(
        mut self,
        code: CompletionCode,
        bytes: usize,
    ) -> Result<(), DeviceError> {
        self.finish(code, bytes)
    }

    #[cfg(feature = "async")]
    fn detach(mut self) -> RawCommand {
        self.completed = true;
        RawCommand {
            code: self.code,
            size: self.size,
            ticket: self.ticket,
            buffer: std::mem::take(&mut self.buffer),
        }
    }

    fn complete_read(self, code: CompletionCode, bytes: usize) -> Result<(), DeviceError> {
        let size = self.size;
        if bytes <= size {
            return self.complete(code, bytes);
        }
        self.complete(CompletionCode::READ_FAULT, 0)?;
        Err(DeviceError::TooManyBytes { size, bytes })
    }

    fn fail(self, code: CompletionCode) -> Result<(), DeviceError> {
        // Failing with "done" is no failure, and "end of data" is one only for a read.
        let code = match code {
            CompletionCode::SUCCESS => CompletionCode::OPERATION_ABORTED,
            code => code,
        };
        self.complete(code, 0)
    }

    fn finish(&mut self, code: CompletionCode, bytes: usize) -> Result<(), DeviceError> {
        if std::mem::replace(&mut self.completed, true) {
            return Ok(());
        }
        self.device.complete(Completion {
            ticket: self.ticket,
            command: self.code,
            code,
            bytes,
            buffer: std::mem::take(&mut self.buffer),
        })
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // A dead device has told its error already.
        let _ = self.finish(CompletionCode::OPERATION_ABORTED, 0);
    }
}

impl fmt::Debug for Held<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held")
            .field("device", &self.device.name())
            .field("code", &self.code)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}
