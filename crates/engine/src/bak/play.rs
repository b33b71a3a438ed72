//! Plays a media set through virtual devices, as a backup that runs now.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use vab_chain::BackupSet;
use vab_vdi::{DeviceName, Direction, EngineDevice, EngineTransport, Geometry, OpenSetRequest};

use super::stripes::{self, Step, Tally};
use super::{MediaSet, Stripe};
use crate::mtf::{MtfError, StreamingReader};
use crate::request::ProgressSink;

/// Where to play a media set. Set the public fields after [`PlayRequest::new`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PlayRequest {
    /// The devices, as many as the set has stripes. The first name is the device set's name.
    pub devices: Vec<DeviceName>,
    /// The most bytes of one command: a multiple of 64 KiB, at most 4 MiB.
    pub max_transfer: u32,
    /// How long to wait for the device set to appear.
    pub timeout: Duration,
    /// Is told how far it is.
    pub progress: ProgressSink,
}

impl PlayRequest {
    /// To these devices, in commands of at most 1 MiB.
    pub fn new(devices: Vec<DeviceName>) -> Self {
        Self {
            devices,
            max_transfer: Geometry::default().max_transfer(),
            timeout: Duration::from_secs(30),
            progress: ProgressSink::default(),
        }
    }
}

/// A media set was played to its end, and every device ended normally.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Played {
    /// The facts of the backup set; `None` where they are not known.
    pub facts: Option<BackupSet>,
    /// Bytes of each stripe.
    pub bytes: Vec<u64>,
}

/// Why a media set was not played to its end. The other side sees an abort.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlayError {
    /// The devices are not as many as the stripes.
    #[error("{stripes} stripes cannot be played through {devices} devices; each needs its own")]
    DeviceCount {
        /// Stripes of the set.
        stripes: usize,
        /// Devices of the request.
        devices: usize,
    },
    /// The greatest transfer is not one that there can be.
    #[error(transparent)]
    Geometry(#[from] vab_vdi::GeometryError),
    /// The device set did not open, or could not be closed normally.
    #[error("the device set failed")]
    Set(#[source] vab_vdi::EngineError),
    /// A device failed.
    #[error("device {device} failed")]
    Device {
        /// The device.
        device: DeviceName,
        /// How.
        #[source]
        error: vab_vdi::EngineError,
    },
    /// A file could not be read.
    #[error("{}: cannot be read at offset {offset}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Where, in bytes.
        offset: u64,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not a whole backup any more.
    #[error("{}: is not a whole backup any more, it changed since it was found", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it now.
        source: MtfError,
    },
    /// A file is a whole backup, but another one than was found.
    #[error("{}: is another backup than when it was found; look for backups again", .path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
}

impl stripes::Failure for PlayError {
    fn set(error: vab_vdi::EngineError) -> Self {
        Self::Set(error)
    }

    fn device(device: DeviceName, error: vab_vdi::EngineError) -> Self {
        Self::Device { device, error }
    }

    fn is_consequence(&self) -> bool {
        matches!(self, Self::Device { error, .. } if stripes::is_consequence(error))
    }
}

impl MediaSet {
    /// Plays the set: every stripe through its own device, all at once, in `Write` commands of the
    /// greatest transfer, then `Flush` and `Complete`.
    ///
    /// The files are read anew and must say what they said when they were found; only when all
    /// of them do is any device completed.
    ///
    /// # Errors
    /// When a device fails, or a file cannot be read or has changed. The device set is aborted
    /// then.
    pub fn play(
        &self,
        request: &PlayRequest,
        transport: &dyn EngineTransport,
    ) -> Result<Played, PlayError> {
        let names = request.devices.clone();
        if names.len() != self.stripes().len() {
            return Err(PlayError::DeviceCount {
                stripes: self.stripes().len(),
                devices: names.len(),
            });
        }
        let geometry = Geometry::new(self.block_size(), request.max_transfer)?;
        let open = OpenSetRequest::new(names, Direction::Backup, geometry);
        let mut set = transport
            .open_set(open, request.timeout)
            .map_err(PlayError::Set)?;
        let tally = Tally::new(&request.progress, self.length());
        let jobs = set.devices().into_iter().zip(self.stripes());
        let streamed = stripes::at_once(jobs, |(mut device, stripe)| {
            stream(stripe, &mut device, &tally).map(|bytes| (device, bytes))
        })?;
        let (devices, bytes): (Vec<_>, Vec<_>) = streamed.into_iter().unzip();
        let devices = stripes::each::<PlayError>(devices, Step::Complete)?;
        stripes::close::<PlayError>(devices, set)?;
        Ok(Played {
            facts: self.facts().cloned(),
            bytes,
        })
    }

    /// The block size that the set was written with; the smallest where that is not known.
    fn block_size(&self) -> u32 {
        let native = self.stripes().first().and_then(|it| it.medium.native());
        native.map_or(Geometry::MIN_BLOCK_SIZE, |medium| medium.block_size)
    }
}

/// Writes a whole file to a device and has it made durable.
fn stream(stripe: &Stripe, device: &mut EngineDevice, tally: &Tally<'_>) -> Result<u64, PlayError> {
    let mut reader = StreamingReader::new();
    let failed = |offset: u64, source| PlayError::Read {
        path: stripe.path.clone(),
        offset,
        source,
    };
    let format = |source| PlayError::Format {
        path: stripe.path.clone(),
        source,
    };
    let name = device.name().clone();
    let dead = |error| PlayError::Device {
        device: name.clone(),
        error,
    };
    let mut file = File::open(&stripe.path).map_err(|error| failed(0, error))?;
    loop {
        let at = reader.position();
        // Straight into the device's buffer: the stream is read and checked where it lies.
        let written = device.write_some(|room| {
            let count = fill(&mut file, room).map_err(|error| failed(at, error))?;
            reader
                .push(room.get(..count).unwrap_or_default())
                .map_err(format)?;
            Ok::<_, PlayError>(count)
        });
        match written.map_err(dead)?? {
            0 => break,
            count => tally.add(count),
        }
    }
    let bytes = reader.position();
    if reader.finish().map_err(format)? != stripe.medium {
        return Err(PlayError::Changed {
            path: stripe.path.clone(),
        });
    }
    device.flush().map_err(dead)?;
    Ok(bytes)
}

/// Fills `room` as far as the file goes; gives the bytes it took.
fn fill(file: &mut File, room: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = room.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
