//! What an engine asks for when it opens a set.

use std::time::Duration;

use crate::code::Features;
use crate::configuration::{Configuration, Direction};
use crate::error::{ConfigError, EngineError};
use crate::geometry::Geometry;
use crate::name::DeviceName;

/// What an engine asks for when it opens a set.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OpenSetRequest {
    /// The devices; the first is the name of the set.
    pub device_names: Vec<DeviceName>,
    /// Whether the engine writes or reads.
    pub direction: Direction,
    /// Block size and greatest transfer.
    pub geometry: Geometry,
    /// Whether the engine is ready to end every device with a `Complete` command. It does so if
    /// the client asked for it.
    pub request_complete: bool,
    /// Buffers of the whole set, each of the greatest transfer's size (`BUFFERCOUNT`). The engine
    /// waits when all are in use. At least one per device is taken.
    pub buffer_count: usize,
    /// The most commands outstanding on one device.
    pub depth: usize,
    /// How long a command may take before the operation is aborted; no limit if `None`.
    pub command_timeout: Option<Duration>,
}

impl OpenSetRequest {
    /// The most buffers of one set.
    pub const MAX_BUFFERS: usize = 1024;
    /// The most commands outstanding on one device.
    pub const MAX_DEPTH: usize = 64;

    /// A request with `Complete`, up to 4 commands outstanding per device, buffers for that, and
    /// no time limit.
    pub fn new(device_names: Vec<DeviceName>, direction: Direction, geometry: Geometry) -> Self {
        let buffer_count = 4 * device_names.len();
        Self {
            device_names,
            direction,
            geometry,
            request_complete: true,
            buffer_count,
            depth: 4,
            command_timeout: None,
        }
    }

    /// The numbers within their ranges.
    pub(crate) fn clamped(mut self) -> Self {
        let devices = self.device_names.len().max(1);
        self.buffer_count = self
            .buffer_count
            .clamp(devices, Self::MAX_BUFFERS.max(devices));
        self.depth = self.depth.clamp(1, Self::MAX_DEPTH);
        self
    }

    /// For a back end whose devices have buffers of their own: as many as may be outstanding.
    #[cfg(any(unix, windows))]
    pub(crate) fn with_own_buffers(self) -> Self {
        let mut request = self.clamped();
        let own = request.buffer_count / request.device_names.len().max(1);
        request.depth = request.depth.min(own.max(1));
        request
    }

    /// The configuration that comes of this request and what the client asked for.
    pub(crate) fn configuration(&self, asked: Features) -> Configuration {
        let complete = self.request_complete && asked.contains(Features::REQUEST_COMPLETE);
        let mut features = asked
            | match self.direction {
                Direction::Backup => Features::WRITE_MEDIA,
                Direction::Restore => Features::READ_MEDIA,
            };
        if complete {
            features = features | Features::COMPLETE_ENABLED;
        }
        let buffers = u64::try_from(self.buffer_count).unwrap_or(u64::MAX);
        Configuration {
            geometry: self.geometry,
            direction: self.direction,
            complete_enabled: complete,
            features,
            depth: u32::try_from(self.depth).unwrap_or(u32::MAX),
            buffer_area: buffers.saturating_mul(self.geometry.max_transfer().into()),
        }
    }

    /// Where each device of the request is among the devices of the set.
    pub(crate) fn positions(&self, of: &[DeviceName]) -> Result<Vec<usize>, EngineError> {
        let set = self.device_names.first().or(of.first());
        let Some(set) = set.cloned() else {
            return Err(ConfigError::DeviceCount { got: 0 }.into());
        };
        if self.device_names.len() != of.len() {
            return Err(EngineError::DeviceCount {
                name: set,
                wanted: self.device_names.len(),
                actual: of.len(),
            });
        }
        let position = |wanted: &DeviceName| {
            let found = of.iter().position(|name| name == wanted);
            found.ok_or_else(|| EngineError::UnknownDevice {
                set: set.clone(),
                device: wanted.clone(),
            })
        };
        self.device_names.iter().map(position).collect()
    }
}
