//! The connections of a set after both sides met.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::sys::Socket;
use crate::clock::Deadline;
use crate::error::{DeviceError, EngineError};
use crate::seam::Cause;
use crate::sync::lock;

/// All connections of one set, as one side has them.
#[derive(Debug)]
pub(super) struct Session {
    /// Says why the set ends early, in one byte, before the devices are cut off.
    control: Arc<Socket>,
    devices: Vec<Arc<Socket>>,
    fate: AtomicU8,
    listening: Mutex<()>,
}

/// How the set ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Aborted,
    /// The other side is gone.
    Lost,
    /// This side let go.
    Abandoned,
}

const ABORTED: u8 = b'A';
const ABANDONED: u8 = b'L';

impl Session {
    pub(super) fn new(control: Arc<Socket>, devices: Vec<Arc<Socket>>) -> Self {
        Self {
            control,
            devices,
            fate: AtomicU8::new(0),
            listening: Mutex::default(),
        }
    }

    pub(super) fn device(&self, index: usize) -> Option<&Arc<Socket>> {
        self.devices.get(index)
    }

    /// How the set ended early, if it is known to have.
    pub(super) fn fate(&self) -> Option<Fate> {
        match self.fate.load(Ordering::Acquire) {
            0 => None,
            1 => Some(Fate::Aborted),
            2 => Some(Fate::Lost),
            _ => Some(Fate::Abandoned),
        }
    }

    /// Ends the set from this side.
    pub(super) fn end(&self, cause: Cause) {
        let (fate, word) = match cause {
            Cause::Asked => (Fate::Aborted, ABORTED),
            Cause::Abandoned => (Fate::Abandoned, ABANDONED),
        };
        if self.decide(fate) {
            // Said before the devices are cut off, so that whoever sees the cut finds the word.
            // If it cannot be said, the other side is gone.
            let _ = self
                .control
                .send(&[word], &[], Deadline::after(Some(Duration::ZERO)));
            self.cut();
        }
    }

    /// Whether the other side said that it is over. Its silence says nothing, not even when it is
    /// gone: it may have ended normally, which the devices tell.
    pub(super) fn look(&self) -> Option<Fate> {
        self.listen(None)
    }

    /// A connection was cut: finds out why.
    pub(super) fn cut_off(&self) -> Fate {
        self.listen(Some(Fate::Lost)).unwrap_or(Fate::Lost)
    }

    /// The last word of the other side, or what its silence means.
    fn listen(&self, silence: Option<Fate>) -> Option<Fate> {
        // The word is heard only once, so hearing and deciding are one step.
        let listening = lock(&self.listening);
        if self.fate().is_none() {
            let mut word = [0];
            let at_once = Deadline::after(Some(Duration::ZERO));
            let fate = match self.control.receive(&mut word, at_once) {
                Ok(Some(1)) if word == [ABORTED] => Some(Fate::Aborted),
                Ok(Some(1)) => Some(Fate::Lost),
                _ => silence,
            };
            if fate.is_some_and(|fate| self.decide(fate)) {
                self.cut();
            }
        }
        drop(listening);
        self.fate()
    }

    /// The first one counts.
    fn decide(&self, fate: Fate) -> bool {
        let number = match fate {
            Fate::Aborted => 1,
            Fate::Lost => 2,
            Fate::Abandoned => 3,
        };
        let result = self
            .fate
            .compare_exchange(0, number, Ordering::AcqRel, Ordering::Acquire);
        result.is_ok()
    }

    fn cut(&self) {
        for device in &self.devices {
            device.cut();
        }
    }
}

impl Fate {
    pub(super) fn for_client(self) -> DeviceError {
        match self {
            Self::Lost => DeviceError::EngineLost,
            Self::Aborted | Self::Abandoned => DeviceError::Aborted,
        }
    }

    pub(super) fn for_engine(self) -> EngineError {
        match self {
            Self::Lost => EngineError::ClientLost,
            Self::Aborted | Self::Abandoned => EngineError::Aborted,
        }
    }
}
