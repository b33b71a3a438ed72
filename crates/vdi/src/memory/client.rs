//! The client's side of a hub.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use super::hub::Sets;
use super::lane::{Found, Lane};
use super::shared::{Fate, Shared};
use crate::buffer::Buffer;
use crate::code::CommandCode;
use crate::configuration::Configuration;
use crate::error::{CloseError, DeviceError, OpenError, WaitError};
use crate::name::DeviceName;
use crate::seam::{Cause, ClientDeviceLink, ClientSetLink, Completion, Received};

#[derive(Debug)]
pub(super) struct ClientSet {
    sets: Arc<Sets>,
    name: DeviceName,
    shared: Arc<Shared>,
}

impl ClientSet {
    pub(super) fn new(sets: Arc<Sets>, name: DeviceName, shared: Arc<Shared>) -> Self {
        Self { sets, name, shared }
    }
}

impl ClientSetLink for ClientSet {
    fn wait(&self, timeout: Duration) -> Result<Option<Configuration>, WaitError> {
        self.shared.wait(timeout)
    }

    fn open_device(
        &self,
        index: usize,
        _name: &DeviceName,
    ) -> Result<Box<dyn ClientDeviceLink>, OpenError> {
        match self.shared.fate() {
            None => Ok(Box::new(ClientDevice {
                shared: Arc::clone(&self.shared),
                index,
                keeps: Cell::new(0),
            })),
            Some(Fate::EngineLost) => Err(OpenError::EngineLost),
            Some(_) => Err(OpenError::Aborted),
        }
    }

    fn abort(&self, cause: Cause) {
        self.shared.end(match cause {
            Cause::Asked => Fate::Aborted,
            Cause::Abandoned => Fate::ClientLost,
        });
    }

    fn close(&self) -> Result<(), CloseError> {
        self.sets.remove(&self.name);
        Ok(())
    }
}

#[derive(Debug)]
struct ClientDevice {
    shared: Arc<Shared>,
    index: usize,
    /// Its part of what the client may keep.
    keeps: Cell<usize>,
}

impl ClientDevice {
    fn lane(&self) -> Result<&Lane, DeviceError> {
        self.shared
            .lanes
            .get(self.index)
            .ok_or(DeviceError::Aborted)
    }
}

impl ClientDeviceLink for ClientDevice {
    fn receive(&self, timeout: Option<Duration>) -> Result<Received, DeviceError> {
        let over = || self.shared.fate().is_some();
        match (self.lane()?.receive(timeout, over), self.shared.fate()) {
            (Found::Command(command), _) => Ok(Received::Command(command)),
            (Found::Closed, _) => Ok(Received::Ended),
            (Found::Nothing, Some(fate)) => Err(fate.for_client()),
            (Found::Nothing, None) => Ok(Received::TimedOut),
        }
    }

    fn complete(&self, mut completion: Completion) -> Result<(), DeviceError> {
        if let Some(fate) = self.shared.fate() {
            return Err(fate.for_client());
        }
        // Only what was read has to travel back; other buffers are free from here on, even while
        // the engine's thread waits for one.
        if completion.command != CommandCode::READ {
            completion.buffer = Buffer::None;
        }
        self.lane()?.complete(completion);
        Ok(())
    }

    fn keep_at_most(&self, buffers: usize) {
        let before = self.keeps.replace(buffers);
        self.shared.pool.allow(before, buffers);
    }
}

impl Drop for ClientDevice {
    fn drop(&mut self) {
        self.keep_at_most(0);
    }
}
