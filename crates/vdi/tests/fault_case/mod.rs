//! One case of the fault matrix: what is done, and what has to come of it.

mod client;
mod engine;
mod expected;

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use vab_vdi::{
    CompletionCode, DeviceError, Direction, EngineError, EngineSet, OpenError, WaitError, Waited,
};

use crate::common::{Both, LIMIT, Once, request};

/// Transfers per device.
pub(crate) const PIECES: usize = 8;
pub(crate) const PIECE: usize = 65_536;

/// How far a set is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The client created it.
    Created,
    /// The engine came.
    Configured,
    /// The devices are open, no command was served.
    Open,
    /// The third transfer of device 0 is being served.
    Transfer,
    /// The flush of device 0 is being served.
    Barrier,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    ClientNeverComes,
    EngineDies(Stage),
    ClientDies(Stage),
    ClientAborts(Stage),
    EngineAborts(Stage),
    /// `Created`: the engine never comes. `Open`: the engine takes its time. Else the client does
    /// not answer in time.
    Timeout(Stage),
    /// The client fails the third transfer of this device.
    DeviceFails(usize),
    /// The sink of device 0 has no room, or its source cannot be read.
    SinkFull,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) direction: Direction,
    pub(crate) devices: usize,
    pub(crate) fault: Fault,
}

/// How one device of the client ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientEnd {
    Ended,
    Aborted,
    EngineLost,
    /// The fault itself: it was dropped.
    Died,
    /// The sink or the source failed.
    Storage,
    Other,
}

/// How one device of the engine ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EngineEnd {
    Closed,
    Aborted,
    ClientLost,
    Timeout,
    Failed(CompletionCode),
    Other,
}

/// What became of a case.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Whether the back end says which side was lost.
    tells_who_is_lost: bool,
    /// How the wait for the engine ended, if not with the engine.
    wait: Option<WaitEnd>,
    /// How opening the devices failed.
    open: Option<ClientEnd>,
    client: Vec<ClientEnd>,
    /// Whether client and engine closed the set normally.
    closed: (bool, bool),
    /// The engine found the set.
    found: bool,
    engine: Vec<EngineEnd>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitEnd {
    NotYet,
    Aborted,
    Died,
    Other,
}

/// What the threads of a case share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Here so that it can be dropped or aborted while its devices work.
    pub(crate) engine: Mutex<Option<EngineSet>>,
    /// The engine opened the set.
    pub(crate) engine_here: Once,
    /// The engine may start to work.
    pub(crate) go: Once,
    /// The engine has ended the device that the fault is about.
    pub(crate) engine_over: Once,
}

impl Case {
    pub(crate) fn run(self, both: &Both) -> Outcome {
        let mut outcome = Outcome {
            tells_who_is_lost: both.tells_who_is_lost,
            ..Outcome::default()
        };
        let set = both.create(self.devices);
        match self.fault {
            Fault::Timeout(Stage::Created) => {
                let waited = set.wait(Duration::from_millis(1));
                outcome.wait = Some(match waited {
                    Ok(Waited::NotYet(_)) => WaitEnd::NotYet,
                    _ => WaitEnd::Other,
                });
                return outcome;
            }
            Fault::ClientDies(Stage::Created) | Fault::ClientNeverComes => {
                drop(set);
                let limit = Duration::from_millis(1);
                let opened = both
                    .engine
                    .open_set(request(self.devices, self.direction), limit);
                outcome.wait = Some(WaitEnd::Died);
                outcome.found = !matches!(opened, Err(EngineError::NoSuchSet { .. }));
                return outcome;
            }
            Fault::ClientAborts(Stage::Created) => {
                let abort = set.abort_handle();
                let aborter = thread::spawn(move || abort.abort());
                outcome.wait = Some(match set.wait(LIMIT) {
                    Err(WaitError::Aborted) => WaitEnd::Aborted,
                    _ => WaitEnd::Other,
                });
                aborter.join().unwrap();
                return outcome;
            }
            _ => {}
        }
        let shared = Arc::new(Shared::default());
        let (transport, engine_shared) = (Arc::clone(&both.engine), Arc::clone(&shared));
        let engine = thread::spawn(move || engine::run(self, &*transport, &engine_shared));
        match set.wait(LIMIT) {
            Ok(Waited::Ready(set)) => client::run(self, set, &shared, &mut outcome),
            _ => outcome.wait = Some(WaitEnd::Other),
        }
        shared.go.set();
        (outcome.engine, outcome.closed.1) = engine.join().unwrap();
        outcome.found = true;
        outcome
    }

    /// Whether the fault happens at that stage.
    fn happens(self, at: Stage) -> bool {
        match self.fault {
            Fault::EngineDies(stage)
            | Fault::ClientDies(stage)
            | Fault::ClientAborts(stage)
            | Fault::EngineAborts(stage)
            | Fault::Timeout(stage) => stage == at,
            _ => false,
        }
    }

    /// The device that the fault is about.
    fn victim(self) -> usize {
        match self.fault {
            Fault::DeviceFails(victim) => victim,
            _ => 0,
        }
    }

    /// Whether the engine waits until the fault has happened.
    fn starts_late(self) -> bool {
        self.happens(Stage::Open)
    }
}

impl From<&DeviceError> for ClientEnd {
    fn from(error: &DeviceError) -> Self {
        match error {
            DeviceError::Aborted => Self::Aborted,
            DeviceError::EngineLost => Self::EngineLost,
            _ => Self::Other,
        }
    }
}

impl From<&OpenError> for ClientEnd {
    fn from(error: &OpenError) -> Self {
        match error {
            OpenError::Aborted => Self::Aborted,
            OpenError::EngineLost => Self::EngineLost,
            _ => Self::Other,
        }
    }
}

impl From<&EngineError> for EngineEnd {
    fn from(error: &EngineError) -> Self {
        match error {
            EngineError::Aborted => Self::Aborted,
            EngineError::ClientLost => Self::ClientLost,
            EngineError::Timeout { .. } => Self::Timeout,
            EngineError::Failed { code, .. } => Self::Failed(*code),
            _ => Self::Other,
        }
    }
}
