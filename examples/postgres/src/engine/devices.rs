//! One stream between a program and a device.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use vab_engine::{BackupError, EngineError, Refusal, RestoreError};
use vab_vdi::raw::{self, RawError};
use vab_vdi::{
    DeviceName, Direction, EngineDevice, EngineSet, EngineTransport, Geometry, OpenSetRequest,
};

/// A set of one device.
pub(super) struct OneDevice {
    set: EngineSet,
    device: EngineDevice,
    name: DeviceName,
}

/// Why a stream did not become a backup, or a backup no stream.
pub(super) enum StreamError {
    Set(vab_vdi::EngineError),
    Device(DeviceName, vab_vdi::EngineError),
    Engine(EngineError),
}

/// The programs of the server give one stream.
pub(super) fn require_one(devices: usize) -> Result<(), Refusal> {
    match devices {
        1 => Ok(()),
        found => Err(Refusal::Stripes { expected: 1, found }),
    }
}

impl OneDevice {
    pub(super) fn open(
        names: &[DeviceName],
        direction: Direction,
        geometry: Geometry,
        timeout: Duration,
        transport: &dyn EngineTransport,
    ) -> Result<Self, StreamError> {
        let request = OpenSetRequest::new(names.to_vec(), direction, geometry);
        let mut set = transport
            .open_set(request, timeout)
            .map_err(StreamError::Set)?;
        match set.devices().pop() {
            Some(device) => Ok(Self {
                name: device.name().clone(),
                set,
                device,
            }),
            None => Err(StreamError::Engine(EngineError::Unsupported {
                what: "use a device set without devices",
            })),
        }
    }

    /// Sends a stream; `confirm` says whether the program that wrote it has succeeded.
    pub(super) fn send(
        self,
        stream: &mut impl Read,
        confirm: impl FnOnce() -> io::Result<()>,
    ) -> Result<(), StreamError> {
        let sent = raw::send(self.device, stream, confirm);
        sent.map_err(|error| StreamError::of(self.name, "backing up", error))?;
        self.set.close().map_err(StreamError::Set)
    }

    /// Receives a stream; `confirm` says whether the program that reads it has succeeded.
    pub(super) fn receive(
        self,
        stream: impl Write,
        confirm: impl FnOnce() -> io::Result<()>,
    ) -> Result<(), StreamError> {
        let received = raw::receive(self.device, stream, confirm);
        received.map_err(|error| StreamError::of(self.name, "restoring", error))?;
        self.set.close().map_err(StreamError::Set)
    }
}

impl StreamError {
    fn of(device: DeviceName, action: &'static str, error: RawError) -> Self {
        let io = |error| {
            Self::Engine(EngineError::Io {
                action,
                error: Arc::new(error),
            })
        };
        match error {
            RawError::Device(error) => Self::Device(device, error),
            RawError::Stream(error) | RawError::Unconfirmed(error) => io(error),
            other => io(io::Error::other(other)),
        }
    }
}

macro_rules! into {
    ($($name:ident)*) => {$(
        impl From<StreamError> for $name {
            fn from(error: StreamError) -> Self {
                match error {
                    StreamError::Set(error) => Self::Set(error),
                    StreamError::Device(device, error) => Self::Device { device, error },
                    StreamError::Engine(error) => Self::Engine(error),
                }
            }
        }
    )*};
}

into!(BackupError RestoreError);
