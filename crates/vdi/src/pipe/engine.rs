//! The engine's side of a set between processes.

mod device;
mod meeting;

use std::iter;
use std::sync::Arc;
use std::time::Duration;

use self::device::Device;
use self::meeting::meet;
use super::directory::Directory;
use super::session::Session;
use crate::config::check_names;
use crate::engine::{EngineCore, EngineDevice, EngineSet, OpenSetRequest};
use crate::error::EngineError;
use crate::seam::{Cause, EngineSetLink};

/// Opens a set that a client of another process created.
pub(super) fn open(
    directory: &Directory,
    request: OpenSetRequest,
    timeout: Duration,
) -> Result<EngineSet, EngineError> {
    check_names(&request.device_names)?;
    let (session, features, parts) = meet(directory, &request, timeout)?;
    let configuration = request.configuration(features);
    let session = Arc::new(session);
    let core = Arc::new(EngineCore::new(Box::new(Set(Arc::clone(&session)))));
    let limit = request.command_timeout;
    let parts = parts
        .into_iter()
        .map(Some)
        .chain(iter::repeat_with(|| None));
    let names = request.device_names.into_iter().enumerate().zip(parts);
    let devices = names.map(|((index, name), part)| {
        let session = Arc::clone(&session);
        let link = Box::new(Device::new(session, index, &configuration, limit, part));
        EngineDevice::new(Arc::clone(&core), link, name, configuration, limit)
    });
    let devices = devices.collect();
    Ok(EngineSet::new(core, devices, configuration))
}

#[derive(Debug)]
struct Set(Arc<Session>);

impl EngineSetLink for Set {
    fn abort(&self, cause: Cause) {
        self.0.end(cause);
    }

    fn close(&self) {}
}
