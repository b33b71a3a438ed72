//! The engine's side of a hub.

use std::sync::Arc;
use std::time::Duration;

use super::lane::Lane;
use super::shared::{Fate, Shared};
use crate::buffer::Buffer;
use crate::engine::{EngineCore, EngineDevice, EngineSet, OpenSetRequest};
use crate::error::EngineError;
use crate::name::DeviceName;
use crate::seam::{Cause, Completion, EngineDeviceLink, EngineSetLink, RawCommand};

/// Takes a set for an engine.
pub(super) fn open(
    shared: &Arc<Shared>,
    name: &DeviceName,
    request: OpenSetRequest,
) -> Result<EngineSet, EngineError> {
    let lanes = request.positions(&shared.device_names)?;
    let configuration = request.configuration(shared.features);
    shared
        .pool
        .configure(request.buffer_count, request.geometry.max_len());
    if !shared.configure(configuration) {
        return Err(EngineError::Busy { name: name.clone() });
    }
    let link = Box::new(Set(Arc::clone(shared)));
    let core = Arc::new(EngineCore::new(link));
    let devices = request
        .device_names
        .into_iter()
        .zip(lanes)
        .map(|(name, index)| {
            let shared = Arc::clone(shared);
            let link = Box::new(Device { shared, index });
            EngineDevice::new(
                Arc::clone(&core),
                link,
                name,
                configuration,
                request.command_timeout,
            )
        });
    let devices = devices.collect();
    Ok(EngineSet::new(core, devices, configuration))
}

#[derive(Debug)]
struct Set(Arc<Shared>);

impl EngineSetLink for Set {
    fn abort(&self, cause: Cause) {
        self.0.end(match cause {
            Cause::Asked => Fate::Aborted,
            Cause::Abandoned => Fate::EngineLost,
        });
    }

    fn close(&self) {}
}

#[derive(Debug)]
struct Device {
    shared: Arc<Shared>,
    index: usize,
}

impl Device {
    fn lane(&self) -> Result<&Lane, EngineError> {
        self.shared
            .lanes
            .get(self.index)
            .ok_or(EngineError::Aborted)
    }

    fn check(&self) -> Result<(), EngineError> {
        self.shared
            .fate()
            .map_or(Ok(()), |fate| Err(fate.for_engine()))
    }
}

impl EngineDeviceLink for Device {
    fn buffer(&mut self, timeout: Option<Duration>) -> Result<Buffer, EngineError> {
        let over = || self.shared.fate().is_some();
        let taken = self.shared.pool.take(timeout, over);
        self.check()?;
        let limit = timeout.unwrap_or_default();
        taken
            .map(Buffer::Leased)
            .ok_or(EngineError::Timeout { limit })
    }

    fn recycle(&mut self, buffer: Buffer) {
        drop(buffer);
    }

    fn submit(&mut self, command: RawCommand) -> Result<(), EngineError> {
        self.check()?;
        self.lane()?.submit(command);
        Ok(())
    }

    fn reap(&mut self, timeout: Option<Duration>) -> Result<Option<Completion>, EngineError> {
        let over = || self.shared.fate().is_some();
        match self.lane()?.reap(timeout, over) {
            // What was completed counts, even if the set ended meanwhile: a failure's code says
            // more than the abort that follows it.
            Some(done) => Ok(Some(done)),
            None => self.check().map(|()| None),
        }
    }

    fn close(&mut self) -> Result<(), EngineError> {
        self.check()?;
        self.lane()?.close();
        Ok(())
    }
}
