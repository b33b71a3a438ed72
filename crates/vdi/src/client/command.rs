//! The commands a client serves, each as a type of its own.

use std::fmt;

use super::device::Device;
use crate::buffer::Buffer;
use crate::code::{CommandCode, CompletionCode};
use crate::error::DeviceError;
use crate::memory::KeptBuffer;
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

impl<'d> WriteCommand<'d> {
    /// The bytes, at most the greatest transfer of the set.
    pub fn data(&self) -> &[u8] {
        self.0.bytes()
    }

    /// Keeps the bytes beyond the command, without a copy: its memory becomes the caller's, and the
    /// set makes other memory for later commands. What is left has to be completed.
    ///
    /// # Errors
    /// The command itself, as it was, when its memory cannot be kept: it is another process's (all
    /// back ends but [`memory::Hub`](crate::memory::Hub)), or as much is kept as
    /// [`Device::keep_at_most`] allows, which is nothing at first. Copy the bytes then.
    ///
    /// ```
    /// use vab_vdi::{DeviceError, WriteCommand};
    ///
    /// /// The bytes of a command, for as long as anybody wants them.
    /// fn save(write: WriteCommand<'_>) -> Result<Box<dyn AsRef<[u8]> + Send + Sync>, DeviceError> {
    ///     match write.keep() {
    ///         Ok((bytes, taken)) => {
    ///             taken.complete()?;
    ///             Ok(Box::new(bytes))
    ///         }
    ///         Err(write) => {
    ///             let bytes = write.data().to_vec();
    ///             write.complete()?;
    ///             Ok(Box::new(bytes))
    ///         }
    ///     }
    /// }
    /// # use vab_vdi::{Command, Event, Transport as _, EngineTransport as _};
    /// # let (hub, second) = (vab_vdi::memory::Hub::new(), std::time::Duration::from_secs(1));
    /// # let names = vec![vab_vdi::DeviceName::new("nightly")?];
    /// # let set = hub.create(vab_vdi::SetConfig::new(&names[0], 1)?)?;
    /// # let engine = std::thread::spawn(move || -> Result<(), vab_vdi::EngineError> {
    /// #     let (backup, sizes) = (vab_vdi::Direction::Backup, vab_vdi::Geometry::default());
    /// #     let mut set = hub.open_set(vab_vdi::OpenSetRequest::new(names, backup, sizes), second)?;
    /// #     for mut device in set.devices() {
    /// #         device.write(b"some bytes")?;
    /// #         device.write(b"and others")?;
    /// #         device.close()?;
    /// #     }
    /// #     set.close()
    /// # });
    /// # let vab_vdi::Waited::Ready(set) = set.wait(second)? else { panic!("no engine") };
    /// # let (set, devices) = set.open()?;
    /// # let device = &devices[0];
    /// device.keep_at_most(1);
    /// # let mut saved = Vec::new();
    /// # while let Event::Command(command) = device.next_command(None)? {
    /// #     let Command::Write(write) = command else { panic!("another command") };
    /// #     saved.push(save(write)?);
    /// # }
    /// # assert_eq!((*saved[0]).as_ref(), b"some bytes");
    /// # assert_eq!((*saved[1]).as_ref(), b"and others");
    /// # set.close()?;
    /// # engine.join().expect("the engine's thread")?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// The command cannot be used any more then:
    ///
    /// ```compile_fail,E0382
    /// fn try_it(write: vab_vdi::WriteCommand<'_>) {
    ///     let kept = write.keep();
    ///     println!("{}", write.data().len());
    /// }
    /// ```
    pub fn keep(self) -> Result<(KeptBuffer, TakenWrite<'d>), Self> {
        let mut held = self.0;
        match std::mem::take(&mut held.buffer).keep(held.size) {
            Ok(kept) => Ok((kept, TakenWrite(held))),
            Err(buffer) => {
                held.buffer = buffer;
                Err(Self(held))
            }
        }
    }

    /// All bytes were taken. They need not be durable before the next flush.
    ///
    /// # Errors
    /// When the device is dead.
    pub fn complete(self) -> Result<(), DeviceError> {
        self.0.complete_write()
    }

    /// The bytes could not be saved; the engine fails the operation.
    ///
    /// # Errors
    /// When the device is dead.
    pub fn fail(self, code: CompletionCode) -> Result<(), DeviceError> {
        self.0.fail(code)
    }
}

/// A write command whose bytes were kept: all that is left is to say what became of them.
#[derive(Debug)]
#[must_use = "a dropped command fails the operation"]
pub struct TakenWrite<'d>(Held<'d>);

impl TakenWrite<'_> {
    /// All bytes were taken, as with [`WriteCommand::complete`].
    ///
    /// # Errors
    /// When the device is dead.
    pub fn complete(self) -> Result<(), DeviceError> {
        self.0.complete_write()
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

    fn complete_write(self) -> Result<(), DeviceError> {
        let size = self.size;
        self.complete(CompletionCode::SUCCESS, size)
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
