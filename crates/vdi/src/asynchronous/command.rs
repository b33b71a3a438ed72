//! The commands of an asynchronous client.

use std::fmt;
use std::future::Future;

use super::device::Device;
use super::worker::{Given, Verdict};
use crate::code::{CommandCode, CompletionCode};
use crate::error::DeviceError;
use crate::memory::KeptBuffer;

/// A command of the engine.
///
/// Its bytes cannot be used after it was completed:
///
/// ```compile_fail,E0505
/// fn try_it(command: vab_vdi::asynchronous::WriteCommand<'_>) {
///     let data = command.data();
///     let done = command.complete();
///     println!("{}", data.len());
/// }
/// ```
///
/// There is one at a time, so that no program waits for a command while it holds one:
///
/// ```compile_fail,E0499
/// async fn try_it(mut device: vab_vdi::asynchronous::Device) {
///     let first = device.next_command().await;
///     let second = device.next_command().await;
///     drop(first);
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

impl<'d> WriteCommand<'d> {
    /// The bytes, at most the greatest transfer of the set.
    pub fn data(&self) -> &[u8] {
        self.0
            .given
            .buffer
            .bytes()
            .get(..self.0.given.size)
            .unwrap_or_default()
    }

    /// Keeps the bytes beyond the command, without a copy. As [`crate::WriteCommand::keep`]; how
    /// many may be kept is said before, with [`crate::Device::keep_at_most`].
    ///
    /// # Errors
    /// The command itself, as it was, when its memory cannot be kept. Copy the bytes then.
    pub fn keep(self) -> Result<(KeptBuffer, TakenWrite<'d>), Self> {
        let mut held = self.0;
        let given = &mut held.given;
        match std::mem::take(&mut given.buffer).keep(given.size) {
            Ok(kept) => Ok((kept, TakenWrite(held))),
            Err(buffer) => {
                given.buffer = buffer;
                Err(Self(held))
            }
        }
    }

    /// All bytes were taken. They need not be durable before the next flush.
    ///
    /// # Errors
    /// When the device is dead.
    pub fn complete(self) -> impl Future<Output = Result<(), DeviceError>> + Send + use<'d> {
        self.0.complete_write()
    }

    /// The bytes could not be saved; the engine fails the operation.
    ///
    /// # Errors
    /// When the device is dead.
    pub fn fail(
        self,
        code: CompletionCode,
    ) -> impl Future<Output = Result<(), DeviceError>> + Send + use<'d> {
        self.0.fail(code)
    }
}

/// A write command whose bytes were kept. As [`crate::TakenWrite`].
#[derive(Debug)]
#[must_use = "a dropped command fails the operation"]
pub struct TakenWrite<'d>(Held<'d>);

impl<'d> TakenWrite<'d> {
    /// All bytes were taken. They need not be durable before the next flush.
    ///
    /// # Errors
    /// When the device is dead.
    pub fn complete(self) -> impl Future<Output = Result<(), DeviceError>> + Send + use<'d> {
        self.0.complete_write()
    }

    /// The bytes could not be saved; the engine fails the operation.
    ///
    /// # Errors
    /// When the device is dead.
    pub fn fail(
        self,
        code: CompletionCode,
    ) -> impl Future<Output = Result<(), DeviceError>> + Send + use<'d> {
        self.0.fail(code)
    }
}

/// Give the next bytes of the stream.
#[derive(Debug)]
#[must_use = "a dropped command fails the operation"]
pub struct ReadCommand<'d>(Held<'d>);

impl<'d> ReadCommand<'d> {
    /// Bytes asked for: a multiple of the block size, at most the greatest transfer.
    pub fn size(&self) -> usize {
        self.0.given.size
    }

    /// Room for the bytes. What it holds at first is not defined.
    pub fn buffer(&mut self) -> &mut [u8] {
        let size = self.0.given.size;
        let buffer = self.0.given.buffer.bytes_mut();
        buffer.get_mut(..size).unwrap_or_default()
    }

    /// The first `bytes` bytes of the buffer are the next ones of the stream. All that were asked
    /// for are expected, except at the end of the stream.
    ///
    /// # Errors
    /// When `bytes` is more than the command's size (the command is failed then), or the device
    /// is dead.
    pub fn complete(
        self,
        bytes: usize,
    ) -> impl Future<Output = Result<(), DeviceError>> + Send + use<'d> {
        self.0.complete_read(CompletionCode::SUCCESS, bytes)
    }

    /// The first `bytes` bytes of the buffer, possibly none, are the last ones of the stream.
    ///
    /// # Errors
    /// As for [`complete`](Self::complete).
    pub fn complete_end_of_data(
        self,
        bytes: usize,
    ) -> impl Future<Output = Result<(), DeviceError>> + Send + use<'d> {
        self.0.complete_read(CompletionCode::HANDLE_EOF, bytes)
    }

    /// The bytes could not be read; the engine fails the operation.
    ///
    /// # Errors
    /// When the device is dead.
    pub fn fail(
        self,
        code: CompletionCode,
    ) -> impl Future<Output = Result<(), DeviceError>> + Send + use<'d> {
        self.0.fail(code)
    }
}

macro_rules! barrier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        #[must_use = "a dropped command fails the operation"]
        pub struct $name<'d>(Held<'d>);

        impl<'d> $name<'d> {
            /// It is done.
            ///
            /// # Errors
            /// When the device is dead.
            pub fn complete(
                self,
            ) -> impl Future<Output = Result<(), DeviceError>> + Send + use<'d> {
                self.0.judge(CompletionCode::SUCCESS, 0)
            }

            /// It could not be done; the engine fails the operation.
            ///
            /// # Errors
            /// When the device is dead.
            pub fn fail(
                self,
                code: CompletionCode,
            ) -> impl Future<Output = Result<(), DeviceError>> + Send + use<'d> {
                self.0.fail(code)
            }
        }
    };
}

barrier! {
    /// Make everything durable that was written to the device before this command. As
    /// [`crate::FlushCommand`].
    FlushCommand
}

barrier! {
    /// Everything was written: finish the medium, durably. As [`crate::CompleteCommand`].
    CompleteCommand
}

impl<'d> Command<'d> {
    pub(super) fn new(device: &'d mut Device, given: Given) -> Self {
        let code = given.code;
        let held = Held {
            device: Some(device),
            given,
        };
        match code {
            CommandCode::WRITE => Self::Write(WriteCommand(held)),
            CommandCode::READ => Self::Read(ReadCommand(held)),
            CommandCode::COMPLETE => Self::Complete(CompleteCommand(held)),
            // A device gives no others.
            _ => Self::Flush(FlushCommand(held)),
        }
    }
}

/// A command that was not judged yet.
struct Held<'d> {
    /// `None` once it was judged.
    device: Option<&'d mut Device>,
    given: Given,
}

impl<'d> Held<'d> {
    fn judge(
        mut self,
        code: CompletionCode,
        bytes: usize,
    ) -> impl Future<Output = Result<(), DeviceError>> + Send + use<'d> {
        let device = self.send(code, bytes);
        async move {
            match device {
                Some(device) => device.answered().await,
                None => Ok(()),
            }
        }
    }

    fn fail(
        self,
        code: CompletionCode,
    ) -> impl Future<Output = Result<(), DeviceError>> + Send + use<'d> {
        // Failing with "done" is no failure, and "end of data" is one only for a read.
        let code = match code {
            CompletionCode::SUCCESS => CompletionCode::OPERATION_ABORTED,
            code => code,
        };
        self.judge(code, 0)
    }

    fn complete_write(self) -> impl Future<Output = Result<(), DeviceError>> + Send + use<'d> {
        let size = self.given.size;
        self.judge(CompletionCode::SUCCESS, size)
    }

    fn complete_read(
        self,
        code: CompletionCode,
        bytes: usize,
    ) -> impl Future<Output = Result<(), DeviceError>> + Send + use<'d> {
        let size = self.given.size;
        let fits = bytes <= size;
        let judged = if fits {
            self.judge(code, bytes)
        } else {
            self.judge(CompletionCode::READ_FAULT, 0)
        };
        async move {
            judged.await?;
            if fits {
                Ok(())
            } else {
                Err(DeviceError::TooManyBytes { size, bytes })
            }
        }
    }

    fn send(&mut self, code: CompletionCode, bytes: usize) -> Option<&'d mut Device> {
        let device = self.device.take()?;
        device.judge(Verdict {
            code,
            bytes,
            buffer: std::mem::take(&mut self.given.buffer),
        });
        Some(device)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.send(CompletionCode::OPERATION_ABORTED, 0);
    }
}

impl fmt::Debug for Held<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held")
            .field("code", &self.given.code)
            .field("size", &self.given.size)
            .finish_non_exhaustive()
    }
}
