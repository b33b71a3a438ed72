//! The two ends of the device sets of one operation, and the way to cancel it.

use std::sync::Arc;

use tokio::task::spawn_blocking;
use vab_engine::{Cancel, Engine};
use vab_vdi::memory::Hub;
use vab_vdi::{EngineTransport, Transport};

use super::device_set::DeviceSetError;

/// Where the device sets of an operation are made, and where its engine finds them.
#[derive(Clone)]
pub(crate) struct Ends {
    /// The backup program's side.
    pub(crate) client: Arc<dyn Transport>,
    /// The engine's side. An engine that opens the devices itself does not use it.
    pub(crate) engine: Arc<dyn EngineTransport>,
    /// Ends the engine's statement.
    pub(crate) cancel: Cancel,
}

impl Ends {
    /// Both ends in this program.
    pub(crate) fn here(hub: &Hub) -> Self {
        Self {
            client: Arc::new(hub.clone()),
            engine: Arc::new(hub.clone()),
            cancel: Cancel::new(),
        }
    }

    /// The ends that this engine needs.
    pub(crate) async fn of(engine: &Arc<dyn Engine>, hub: &Hub) -> Result<Self, DeviceSetError> {
        let engine = Arc::clone(engine);
        let devices = spawn_blocking(move || engine.devices()).await;
        let devices = devices.map_err(|_| DeviceSetError::StatementDied)?;
        let mut ends = Self::here(hub);
        if let Some(client) = devices.map_err(DeviceSetError::NoDevices)? {
            ends.client = client;
        }
        Ok(ends)
    }
}
