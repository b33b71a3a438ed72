//! What both sides of one set share.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::Duration;

use super::lane::Lane;
use super::pool::Pool;
use crate::code::Features;
use crate::config::SetConfig;
use crate::configuration::Configuration;
use crate::error::{DeviceError, EngineError, WaitError};
use crate::name::DeviceName;
use crate::sync::{lock, wait_while};

/// One set, with a lane per device.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) device_names: Vec<DeviceName>,
    pub(super) features: Features,
    pub(super) lanes: Vec<Lane>,
    pub(super) pool: Arc<Pool>,
    fate: AtomicU8,
    phase: Mutex<Phase>,
    configured: Condvar,
    configuration: OnceLock<Configuration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Created,
    Configured,
}

/// How a set ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Aborted,
    ClientLost,
    EngineLost,
}

impl Shared {
    pub(super) fn new(config: &SetConfig) -> Self {
        Self {
            device_names: config.device_names().to_vec(),
            features: config.features(),
            lanes: config
                .device_names()
                .iter()
                .map(|_| Lane::default())
                .collect(),
            pool: Arc::default(),
            fate: AtomicU8::new(0),
            phase: Mutex::new(Phase::Created),
            configured: Condvar::new(),
            configuration: OnceLock::new(),
        }
    }

    /// How the set ended early, if it did.
    pub(super) fn fate(&self) -> Option<Fate> {
        match self.fate.load(Ordering::Acquire) {
            0 => None,
            1 => Some(Fate::Aborted),
            2 => Some(Fate::ClientLost),
            _ => Some(Fate::EngineLost),
        }
    }

    /// Ends the set early; the first cause stays. Everybody who waits is woken.
    pub(super) fn end(&self, fate: Fate) {
        let number = match fate {
            Fate::Aborted => 1,
            Fate::ClientLost => 2,
            Fate::EngineLost => 3,
        };
        let first = self
            .fate
            .compare_exchange(0, number, Ordering::AcqRel, Ordering::Acquire);
        if first.is_ok() {
            // Whoever looked at the fate before it changed still holds the lock it waits with.
            drop(lock(&self.phase));
            self.configured.notify_all();
            self.pool.wake();
            for lane in &self.lanes {
                lane.wake();
            }
        }
    }

    /// The engine comes; false if another one did before.
    pub(super) fn configure(&self, configuration: Configuration) -> bool {
        let mut phase = lock(&self.phase);
        if *phase == Phase::Configured {
            return false;
        }
        *phase = Phase::Configured;
        let first = self.configuration.set(configuration).is_ok();
        drop(phase);
        self.configured.notify_all();
        first
    }

    /// Waits for the engine.
    pub(super) fn wait(&self, timeout: Duration) -> Result<Option<Configuration>, WaitError> {
        let phase = lock(&self.phase);
        let waiting = |phase: &mut Phase| *phase == Phase::Created && self.fate().is_none();
        let (phase, _) = wait_while(&self.configured, phase, Some(timeout), waiting);
        drop(phase);
        match self.fate() {
            Some(Fate::EngineLost) => Err(WaitError::EngineLost),
            Some(_) => Err(WaitError::Aborted),
            None => Ok(self.configuration.get().copied()),
        }
    }
}

impl Fate {
    pub(super) fn for_client(self) -> DeviceError {
        match self {
            Self::EngineLost => DeviceError::EngineLost,
            Self::Aborted | Self::ClientLost => DeviceError::Aborted,
        }
    }

    pub(super) fn for_engine(self) -> EngineError {
        match self {
            Self::ClientLost => EngineError::ClientLost,
            Self::Aborted | Self::EngineLost => EngineError::Aborted,
        }
    }
}
