//! The life of a set: created, configured, open, closed.

use std::sync::Arc;
use std::time::Duration;

use super::core::{AbortHandle, SetCore};
use super::device::Device;
use crate::config::SetConfig;
use crate::configuration::Configuration;
use crate::error::{CloseError, OpenError, WaitError};
use crate::name::DeviceName;
use crate::seam::ClientSetLink;

/// A set that waits for the engine. Dropping it ends it.
#[derive(Debug)]
#[must_use = "dropping a set aborts it"]
pub struct CreatedSet(Parts);

/// What a wait for the engine gave.
#[derive(Debug)]
pub enum Waited {
    /// The engine came.
    Ready(ConfiguredSet),
    /// It did not come yet. Look whether its statement failed, then wait again.
    NotYet(CreatedSet),
}

/// A set to which the engine came; its devices can be opened. Dropping it aborts it.
#[derive(Debug)]
#[must_use = "dropping a set aborts it"]
pub struct ConfiguredSet {
    parts: Parts,
    configuration: Configuration,
}

/// A set whose devices are in use. Dropping it without closing it aborts what has not ended.
#[derive(Debug)]
#[must_use = "dropping a set aborts it"]
pub struct OpenSet {
    parts: Parts,
    configuration: Configuration,
    /// How many were opened here.
    devices: usize,
}

impl CreatedSet {
    pub(crate) fn new(config: SetConfig, link: Box<dyn ClientSetLink>) -> Self {
        let core = SetCore::new(link);
        Self(Parts {
            core: Some(core),
            config,
        })
    }

    /// What was asked for.
    pub fn config(&self) -> &SetConfig {
        &self.0.config
    }

    /// A handle that aborts the set from any thread.
    pub fn abort_handle(&self) -> AbortHandle {
        self.0.abort_handle()
    }

    /// Waits for the engine.
    ///
    /// Poll with a short timeout and look after the engine's statement in between: a statement
    /// that fails before it reaches the devices is not seen here.
    ///
    /// # Errors
    /// When the set was aborted, or the engine went away or gave a configuration that cannot be.
    pub fn wait(self, timeout: Duration) -> Result<Waited, WaitError> {
        Ok(match self.0.core()?.link().wait(timeout)? {
            None => Waited::NotYet(self),
            Some(configuration) => Waited::Ready(ConfiguredSet {
                parts: self.0,
                configuration,
            }),
        })
    }
}

impl ConfiguredSet {
    /// What was agreed on.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// A handle that aborts the set from any thread.
    pub fn abort_handle(&self) -> AbortHandle {
        self.parts.abort_handle()
    }

    /// Opens all devices, in the order of their names in the [`SetConfig`].
    ///
    /// Serve all of them at once, each on a thread of its own: the engine spreads its buffers
    /// over all devices and waits for the slowest.
    ///
    /// # Errors
    /// When the set was aborted, or a device could not be opened.
    pub fn open(self) -> Result<(OpenSet, Vec<Device>), OpenError> {
        let names = self.parts.config.device_names().to_vec();
        self.open_devices(&names)
    }

    /// Opens some devices.
    pub(crate) fn open_devices(
        self,
        names: &[DeviceName],
    ) -> Result<(OpenSet, Vec<Device>), OpenError> {
        let Some(core) = self.parts.core.as_ref() else {
            return Err(OpenError::Aborted);
        };
        let mut devices = Vec::with_capacity(names.len());
        for name in names {
            let mut known = self.parts.config.device_names().iter();
            let index = known.position(|known| known == name).unwrap_or(usize::MAX);
            let link = core.link().open_device(index, name)?;
            devices.push(Device::new(
                Arc::clone(core),
                link,
                name.clone(),
                self.configuration,
            ));
        }
        let set = OpenSet {
            parts: self.parts,
            configuration: self.configuration,
            devices: devices.len(),
        };
        Ok((set, devices))
    }
}

impl OpenSet {
    /// What was agreed on.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// A handle that aborts the set from any thread.
    pub fn abort_handle(&self) -> AbortHandle {
        self.parts.abort_handle()
    }

    /// Closes the set after all its devices ended.
    ///
    /// That the transfer ended well does not say that the backup did: only the result of the
    /// engine's statement does.
    ///
    /// # Errors
    /// When a device has not ended normally; the set is aborted then.
    pub fn close(mut self) -> Result<(), CloseError> {
        match self.parts.core.take() {
            Some(core) => core.close(self.devices),
            None => Ok(()),
        }
    }
}

/// What is handed on from state to state.
#[derive(Debug)]
struct Parts {
    /// `None` after the close.
    core: Option<Arc<SetCore>>,
    config: SetConfig,
}

impl Parts {
    fn core(&self) -> Result<&Arc<SetCore>, WaitError> {
        self.core.as_ref().ok_or(WaitError::Aborted)
    }

    fn abort_handle(&self) -> AbortHandle {
        match &self.core {
            Some(core) => AbortHandle::new(core),
            None => AbortHandle::none(),
        }
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        if let Some(core) = self.core.take() {
            core.abandon();
        }
    }
}
