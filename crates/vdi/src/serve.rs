//! The whole loop of a device, for clients that save to something simple.

use std::io::{self, Read, Write};
use std::time::Duration;

use crate::client::{Command, Device, Event};
use crate::code::CompletionCode;
use crate::error::DeviceError;
use crate::rechunk::{ReadError, Rechunker};

/// Where a device's stream is saved.
pub trait Sink {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// When they cannot be saved; [`io::ErrorKind::StorageFull`] is reported to the engine as
    /// [`CompletionCode::DISK_FULL`].
    fn write(&mut self, data: &[u8]) -> io::Result<()>;

    /// Makes everything durable that was written so far. Comes any number of times.
    ///
    /// # Errors
    /// When that cannot be done.
    fn flush(&mut self) -> io::Result<()>;

    /// The stream is whole; makes it durable and finishes it. If the set has no `Complete`
    /// command, it is not called.
    ///
    /// # Errors
    /// When that cannot be done.
    fn complete(&mut self) -> io::Result<()> {
        self.flush()
    }
}

impl Sink for std::fs::File {
    fn write(&mut self, data: &[u8]) -> io::Result<()> {
        self.write_all(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

/// Saves in memory, where nothing is durable: for tests and examples.
impl Sink for Vec<u8> {
    fn write(&mut self, data: &[u8]) -> io::Result<()> {
        self.write_all(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Why a device was not served to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The device is dead.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The sink or the source failed; the engine was told.
    #[error("the data could not be {action}")]
    Storage {
        /// What was tried.
        action: &'static str,
        /// The sink's or source's error.
        #[source]
        error: io::Error,
    },
    /// No command came in time.
    #[error("the engine gave no command for {limit:?}; the operation was aborted")]
    Idle {
        /// The limit.
        limit: Duration,
    },
    /// The engine wrote at a restore or read at a backup.
    #[error("the engine uses the device in the other direction; the operation was aborted")]
    Direction,
}

/// Saves what the engine writes, until it closes the device; gives the number of bytes.
///
/// # Errors
/// When the device dies, the sink fails, or no command comes for `idle`.
pub fn backup(
    device: &Device,
    sink: &mut impl Sink,
    idle: Option<Duration>,
) -> Result<u64, ServeError> {
    let mut bytes = 0;
    loop {
        match next(device, idle)? {
            None => return Ok(bytes),
            Some(Command::Write(write)) => match sink.write(write.data()) {
                Ok(()) => {
                    bytes += u64::try_from(write.data().len()).unwrap_or_default();
                    write.complete()?;
                }
                Err(error) => {
                    // The sink's error is the cause and is returned.
                    let _ = write.fail(code_of(&error));
                    return Err(storage("written", error));
                }
            },
            Some(Command::Flush(flush)) => match sink.flush() {
                Ok(()) => flush.complete()?,
                Err(error) => {
                    let _ = flush.fail(code_of(&error));
                    return Err(storage("made durable", error));
                }
            },
            Some(Command::Complete(complete)) => match sink.complete() {
                Ok(()) => complete.complete()?,
                Err(error) => {
                    let _ = complete.fail(code_of(&error));
                    return Err(storage("finished", error));
                }
            },
            Some(Command::Read(_)) => {
                device.abort_handle().abort();
                return Err(ServeError::Direction);
            }
        }
    }
}

/// Gives the engine what it reads, until it closes the device; gives the number of bytes that
/// were taken from the source.
///
/// # Errors
/// When the device dies, the source fails, or no command comes for `idle`.
pub fn restore(
    device: &Device,
    source: &mut impl Read,
    idle: Option<Duration>,
) -> Result<u64, ServeError> {
    let mut bytes = 0;
    let mut stream = Rechunker::new();
    let mut block = || -> io::Result<Option<Vec<u8>>> {
        let mut block = vec![0; 65_536];
        let count = loop {
            match source.read(&mut block) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        block.truncate(count);
        bytes += u64::try_from(count).unwrap_or_default();
        Ok((count > 0).then_some(block))
    };
    loop {
        match next(device, idle)? {
            None => return Ok(bytes),
            Some(Command::Read(read)) => match stream.serve(read, &mut block) {
                Ok(_) => {}
                Err(ReadError::Source(error)) => return Err(storage("read", error)),
                Err(ReadError::Device(error)) => return Err(error.into()),
            },
            Some(Command::Flush(flush)) => flush.complete()?,
            Some(Command::Complete(complete)) => complete.complete()?,
            Some(Command::Write(_)) => {
                device.abort_handle().abort();
                return Err(ServeError::Direction);
            }
        }
    }
}

/// The next command; `None` at the end.
fn next(device: &Device, idle: Option<Duration>) -> Result<Option<Command<'_>>, ServeError> {
    match device.next_command(idle)? {
        Event::Command(command) => Ok(Some(command)),
        Event::Ended => Ok(None),
        Event::TimedOut => {
            device.abort_handle().abort();
            Err(ServeError::Idle {
                limit: idle.unwrap_or_default(),
            })
        }
    }
}

fn storage(action: &'static str, error: io::Error) -> ServeError {
    ServeError::Storage { action, error }
}

fn code_of(error: &io::Error) -> CompletionCode {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => CompletionCode::DISK_FULL,
        _ => CompletionCode::WRITE_FAULT,
    }
}
