//! A device over a plain byte stream, for engines that only know how to write or read a stream:
//! a child process, a FIFO, a file.
//!
//! The stream becomes commands of a device, so that the client above cannot tell it from an
//! engine that speaks to devices itself. The end of a stream says nothing about success: a
//! program that died ends its stream too. So both functions ask for a confirmation before they
//! end the device normally; if it fails, the operation is aborted, and the client keeps nothing.
//!
//! ```no_run
//! use std::process::{Command, Stdio};
//! use vab_vdi::{EngineDevice, raw};
//!
//! # fn example(device: EngineDevice) -> Result<(), Box<dyn std::error::Error>> {
//! let mut dump = Command::new("dump-database").stdout(Stdio::piped()).spawn()?;
//! let mut stream = dump.stdout.take().expect("asked for above");
//! let bytes = raw::send(device, &mut stream, || raw::succeeded(&mut dump))?;
//! # Ok(())
//! # }
//! ```

use std::io::{self, Read, Write};
use std::process::Child;

use crate::engine::EngineDevice;
use crate::error::EngineError;

/// Why a stream did not become a whole operation. The device's set was aborted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RawError {
    /// The stream could not be read or written.
    #[error("the engine's stream broke")]
    Stream(#[source] io::Error),
    /// The stream ended, but the engine did not succeed.
    #[error("the engine's stream ended, but the engine failed")]
    Unconfirmed(#[source] io::Error),
    /// The device failed.
    #[error(transparent)]
    Device(#[from] EngineError),
}

/// Writes a stream to a device, as a backup; gives the number of bytes. After the end of the
/// stream, `confirm` has to say that the engine succeeded.
///
/// # Errors
/// When the stream, the confirmation or the device fails; the set is aborted then.
pub fn send(
    mut device: EngineDevice,
    stream: &mut impl Read,
    confirm: impl FnOnce() -> io::Result<()>,
) -> Result<u64, RawError> {
    let mut bytes = 0;
    loop {
        let filled = device.write_some(|room| fill(stream, room))?;
        match filled.map_err(RawError::Stream)? {
            0 => break,
            count => bytes += u64::try_from(count).unwrap_or_default(),
        }
    }
    confirm().map_err(RawError::Unconfirmed)?;
    device.complete()?;
    device.close()?;
    Ok(bytes)
}

/// Writes what a device gives to a stream, as a restore; gives the number of bytes. The stream is
/// closed after the last byte; then `confirm` has to say that the engine succeeded.
///
/// # Errors
/// When the stream, the confirmation or the device fails; the set is aborted then.
pub fn receive(
    mut device: EngineDevice,
    mut stream: impl Write,
    confirm: impl FnOnce() -> io::Result<()>,
) -> Result<u64, RawError> {
    let mut bytes = 0;
    let mut piece = vec![0; device.configuration().geometry.max_len()];
    loop {
        let count = device.read(&mut piece)?;
        let Some(read) = piece.get(..count).filter(|read| !read.is_empty()) else {
            break;
        };
        stream.write_all(read).map_err(RawError::Stream)?;
        bytes += u64::try_from(count).unwrap_or_default();
    }
    stream.flush().map_err(RawError::Stream)?;
    drop(stream);
    confirm().map_err(RawError::Unconfirmed)?;
    device.close()?;
    Ok(bytes)
}

/// Waits for a child process: the confirmation for engines that are programs.
///
/// # Errors
/// When it did not end with success.
pub fn succeeded(child: &mut Child) -> io::Result<()> {
    let status = child.wait()?;
    if status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("the program ended with {status}")))
}

/// Fills the room, as far as the stream goes.
fn fill(stream: &mut impl Read, room: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = room.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match stream.read(rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::client::{Device, OpenSet, Transport, Waited};
    use crate::config::SetConfig;
    use crate::configuration::Direction;
    use crate::engine::{EngineSet, EngineTransport, OpenSetRequest};
    use crate::geometry::Geometry;
    use crate::memory::Hub;
    use crate::name::DeviceName;
    use crate::serve;

    const LIMIT: Duration = Duration::from_secs(20);

    fn pair(direction: Direction) -> (OpenSet, Device, EngineSet, EngineDevice) {
        let (hub, name) = (Hub::new(), DeviceName::new("raw").unwrap());
        let set = hub.create(SetConfig::new(&name, 1).unwrap()).unwrap();
        let request = OpenSetRequest::new(vec![name], direction, Geometry::default());
        let mut engine = hub.open_set(request, LIMIT).unwrap();
        let Waited::Ready(set) = set.wait(LIMIT).unwrap() else {
            panic!("the engine is there")
        };
        let (set, mut devices) = set.open().unwrap();
        let device = engine.devices().pop().unwrap();
        (set, devices.pop().unwrap(), engine, device)
    }

    #[test]
    fn a_stream_becomes_a_backup() {
        let (set, client, engine, device) = pair(Direction::Backup);
        // Miri takes its time for each byte.
        let length = if cfg!(miri) { 5_001 } else { 3_000_001_u32 };
        let data: Vec<u8> = (0..length).map(|i| i.to_le_bytes()[0]).collect();
        let stream = data.clone();
        let sender = thread::spawn(move || send(device, &mut &stream[..], || Ok(())));
        let mut saved = Vec::new();
        serve::backup(&client, &mut saved, Some(LIMIT)).unwrap();
        assert_eq!(sender.join().unwrap().unwrap(), u64::from(length));
        engine.close().unwrap();
        set.close().unwrap();
        assert!(saved == data);
    }

    #[test]
    fn an_engine_that_failed_leaves_no_backup() {
        let (set, client, engine, device) = pair(Direction::Backup);
        let refuse = || Err(io::Error::other("exit code 1"));
        let sender = thread::spawn(move || send(device, &mut &b"half of it"[..], refuse));
        let served = serve::backup(&client, &mut Vec::new(), Some(LIMIT));
        assert!(served.is_err());
        assert!(matches!(
            sender.join().unwrap(),
            Err(RawError::Unconfirmed(_))
        ));
        assert!(set.close().is_err());
        drop(engine);
    }

    #[test]
    fn a_restore_becomes_a_stream() {
        let (set, client, engine, device) = pair(Direction::Restore);
        let receiver = thread::spawn(move || {
            let mut stream = Vec::new();
            receive(device, &mut stream, || Ok(())).map(|bytes| (bytes, stream))
        });
        let data = vec![5; 2_500_000];
        serve::restore(&client, &mut &data[..], Some(LIMIT)).unwrap();
        let (bytes, stream) = receiver.join().unwrap().unwrap();
        engine.close().unwrap();
        set.close().unwrap();
        assert!(bytes == 2_500_000 && stream == data);
    }
}
