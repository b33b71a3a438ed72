//! Several processes on one set.
//!
//! The primary process creates the set, waits for the server, and opens with [`open_part`] only
//! the devices that it serves itself. Every other process takes a [`Secondary`] for the set's
//! name, as soon as the primary's wait is over, and serves the devices that it is told to: how
//! they share the devices out, and tell each other that they are done, is theirs. The server sees
//! the death of the primary only, so the primary looks after the others, and closes the set when
//! all of them have closed theirs. Any of them can abort all.

use super::set::WindowsSet;
use super::transport::Sqlvdi;
use crate::client::{ConfiguredSet, CreatedSet, Device, OpenSet, Transport};
use crate::config::SetConfig;
use crate::error::{CreateError, OpenError};
use crate::name::DeviceName;

/// A transport that creates no set of its own: it gives a part of a set of another process.
///
/// ```no_run
/// use std::time::Duration;
/// use vab_vdi::{DeviceName, SetConfig, Transport, Waited, windows::Sqlvdi};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let second = Sqlvdi::new()?.secondary(DeviceName::new("nightly")?);
/// let part = SetConfig::with_names(vec![DeviceName::new("nightly2")?])?.instance("PROD");
/// if let Waited::Ready(set) = second.create(part)?.wait(Duration::from_secs(60))? {
///     let (set, devices) = set.open()?;
///     // … serve the devices, then:
///     set.close()?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Secondary {
    _library: Sqlvdi,
    set: DeviceName,
}

impl Secondary {
    pub(super) fn new(library: Sqlvdi, set: DeviceName) -> Self {
        Self {
            _library: library,
            set,
        }
    }

    /// The name of the set.
    pub fn set_name(&self) -> &DeviceName {
        &self.set
    }
}

impl Transport for Secondary {
    /// Opens the set that is there, for the devices that the configuration names. Of the rest of
    /// the configuration only the instance counts: what was asked for was asked for by the
    /// primary process.
    fn create(&self, part: SetConfig) -> Result<CreatedSet, CreateError> {
        let link = WindowsSet::open_in_secondary(&self.set, part.instance_name())?;
        Ok(CreatedSet::new(part, Box::new(link)))
    }
}

/// Opens, in the primary process, only some devices of the set, in this order. The others are for
/// secondary processes; a device that nobody serves stops the server.
///
/// # Errors
/// When the set was aborted, or a device could not be opened.
pub fn open_part(
    set: ConfiguredSet,
    devices: &[DeviceName],
) -> Result<(OpenSet, Vec<Device>), OpenError> {
    set.open_devices(devices)
}
