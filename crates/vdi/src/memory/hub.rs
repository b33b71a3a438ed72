//! The place where both sides meet.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::client::ClientSet;
use super::engine;
use super::shared::Shared;
use crate::client::{CreatedSet, Transport};
use crate::config::{SetConfig, check_names};
use crate::engine::{EngineSet, EngineTransport, OpenSetRequest};
use crate::error::{CreateError, EngineError};
use crate::name::DeviceName;
use crate::sync::{lock, wait_while};

/// The place where a client and an engine of one process meet: a set is found by its name.
///
/// Clones are the same hub.
#[derive(Debug, Clone, Default)]
pub struct Hub(Arc<Sets>);

/// The sets of a hub.
#[derive(Debug, Default)]
pub(super) struct Sets {
    by_name: Mutex<HashMap<DeviceName, Arc<Shared>>>,
    arrived: Condvar,
}

impl Hub {
    /// A hub without sets.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Transport for Hub {
    fn create(&self, config: SetConfig) -> Result<CreatedSet, CreateError> {
        let mut sets = lock(&self.0.by_name);
        let name = config.name().clone();
        if sets.contains_key(&name) {
            return Err(CreateError::NameTaken { name });
        }
        let shared = Arc::new(Shared::new(&config));
        sets.insert(name.clone(), Arc::clone(&shared));
        drop(sets);
        self.0.arrived.notify_all();
        let link = ClientSet::new(Arc::clone(&self.0), name, shared);
        Ok(CreatedSet::new(config, Box::new(link)))
    }
}

impl EngineTransport for Hub {
    fn open_set(
        &self,
        request: OpenSetRequest,
        timeout: Duration,
    ) -> Result<EngineSet, EngineError> {
        check_names(&request.device_names)?;
        let Some(name) = request.device_names.first().cloned() else {
            return Err(crate::error::ConfigError::DeviceCount { got: 0 }.into());
        };
        let sets = lock(&self.0.by_name);
        let absent = |sets: &mut HashMap<_, _>| !sets.contains_key(&name);
        let (sets, _) = wait_while(&self.0.arrived, sets, Some(timeout), absent);
        let Some(shared) = sets.get(&name).cloned() else {
            return Err(EngineError::NoSuchSet {
                name,
                waited: timeout,
            });
        };
        drop(sets);
        engine::open(&shared, &name, request.clamped())
    }
}

impl Sets {
    /// Forgets a set that its client closed.
    pub(super) fn remove(&self, name: &DeviceName) {
        lock(&self.by_name).remove(name);
    }
}
