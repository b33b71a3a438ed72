//! A set of an engine.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use super::device::EngineDevice;
use crate::configuration::Configuration;
use crate::error::EngineError;
use crate::seam::{Cause, EngineSetLink};

/// A set that an engine opened. Dropping it before it was closed aborts it.
#[derive(Debug)]
#[must_use = "dropping a set aborts it"]
pub struct EngineSet {
    shared: Arc<EngineCore>,
    devices: Vec<EngineDevice>,
    configuration: Configuration,
    closed: bool,
}

/// What the devices of a set share.
#[derive(Debug)]
pub(crate) struct EngineCore {
    pub(crate) link: Box<dyn EngineSetLink>,
    /// Devices that are not closed.
    pub(crate) open: AtomicUsize,
}

impl EngineCore {
    pub(crate) fn new(link: Box<dyn EngineSetLink>) -> Self {
        Self {
            link,
            open: AtomicUsize::new(0),
        }
    }
}

impl EngineSet {
    pub(crate) fn new(
        shared: Arc<EngineCore>,
        devices: Vec<EngineDevice>,
        configuration: Configuration,
    ) -> Self {
        Self {
            shared,
            devices,
            configuration,
            closed: false,
        }
    }

    /// What was agreed on.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// The devices in the order of the request, to be used on one thread each. The second call
    /// gives none.
    pub fn devices(&mut self) -> Vec<EngineDevice> {
        std::mem::take(&mut self.devices)
    }

    /// Ends everything at once; the client sees an abort.
    pub fn abort(&self) {
        self.shared.link.abort(Cause::Asked);
    }

    /// A handle that aborts the set from any thread.
    pub fn abort_handle(&self) -> EngineAbortHandle {
        EngineAbortHandle(Arc::downgrade(&self.shared))
    }

    /// The normal end, after all devices were closed.
    ///
    /// # Errors
    /// When a device was not closed; the set is aborted then.
    pub fn close(mut self) -> Result<(), EngineError> {
        self.closed = true;
        match self.shared.open.load(Ordering::Acquire) {
            0 => {
                self.shared.link.close();
                Ok(())
            }
            open => {
                self.shared.link.abort(Cause::Abandoned);
                Err(EngineError::DevicesOpen { open })
            }
        }
    }
}

/// Aborts an engine's set, from any thread, at any time; after the set's end it does nothing.
#[derive(Debug, Clone)]
pub struct EngineAbortHandle(Weak<EngineCore>);

impl EngineAbortHandle {
    /// Aborts the set.
    pub fn abort(&self) {
        if let Some(core) = self.0.upgrade()
            && core.open.load(Ordering::Acquire) > 0
        {
            core.link.abort(Cause::Asked);
        }
    }
}

impl Drop for EngineSet {
    fn drop(&mut self) {
        if !self.closed && self.shared.open.load(Ordering::Acquire) > 0 {
            self.shared.link.abort(Cause::Abandoned);
        }
    }
}
