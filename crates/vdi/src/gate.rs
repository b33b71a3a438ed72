//! The gate that holds `Flush` and `Complete` until the data is durable.
//!
//! A server that gets its flush answered may truncate the log it has just backed up. So the
//! answer waits until everything that was taken from the device before is durable where the
//! backup is kept.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crate::client::{CompleteCommand, FlushCommand};
use crate::code::CompletionCode;
use crate::error::DeviceError;
use crate::sync::{lock, wait_while};

/// The device's side of the gate: counts what is taken and holds the commands.
#[derive(Debug)]
pub struct Gate {
    taken: u64,
    shared: Arc<Shared>,
}

/// The other side of the gate, for whoever learns what is durable. Any thread may use it.
#[derive(Debug, Clone)]
pub struct GateKeeper(Arc<Shared>);

/// Why a command was not let through. It was failed towards the engine.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// The data did not become durable in time.
    #[error("{missing} bytes did not become durable within {limit:?}; the command was failed")]
    Timeout {
        /// Bytes that were taken and are not durable.
        missing: u64,
        /// The limit.
        limit: Duration,
    },
    /// The keeper said that the data will never be durable.
    #[error("the data cannot be made durable ({code}); the command was failed")]
    Failed {
        /// The keeper's reason.
        code: CompletionCode,
    },
    /// More was acknowledged than was ever taken.
    #[error(
        "{durable} bytes were acknowledged as durable, {taken} were taken; the command was failed"
    )]
    TooMuch {
        /// Bytes acknowledged.
        durable: u64,
        /// Bytes taken.
        taken: u64,
    },
    /// The device is dead.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    durable: u64,
    failed: Option<CompletionCode>,
}

/// A command that has to wait for durable data.
pub trait Barrier: sealed::Barrier {}

impl Barrier for FlushCommand<'_> {}
impl Barrier for CompleteCommand<'_> {}

impl Gate {
    /// A gate for one device, and its keeper.
    pub fn new() -> (Self, GateKeeper) {
        let shared = Arc::new(Shared::default());
        let keeper = GateKeeper(Arc::clone(&shared));
        (Self { taken: 0, shared }, keeper)
    }

    /// Counts `bytes` bytes that were taken from the device and passed on; gives their number
    /// since the beginning, which the keeper acknowledges later.
    pub fn take(&mut self, bytes: usize) -> u64 {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.taken = self.taken.saturating_add(bytes);
        self.taken
    }

    /// Bytes taken since the beginning.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Completes the command once everything taken before it is durable. Ask for that before:
    /// the gate waits, it does not urge.
    ///
    /// # Errors
    /// When the data does not become durable, or not in time; the command is failed then.
    pub fn pass(&self, command: impl Barrier, limit: Option<Duration>) -> Result<(), GateError> {
        match self.wait(limit) {
            Ok(()) => Ok(command.pass()?),
            Err(error) => {
                let code = match &error {
                    GateError::Failed { code } => *code,
                    _ => CompletionCode::WRITE_FAULT,
                };
                // The error that is returned says more than that the device may be dead too.
                let _ = command.hold_back(code);
                Err(error)
            }
        }
    }

    fn wait(&self, limit: Option<Duration>) -> Result<(), GateError> {
        let taken = self.taken;
        let state = lock(&self.shared.state);
        let not_yet = |state: &mut State| state.failed.is_none() && state.durable < taken;
        let (state, _) = wait_while(&self.shared.changed, state, limit, not_yet);
        match (state.failed, state.durable) {
            (Some(code), _) => Err(GateError::Failed { code }),
            (None, durable) if durable > taken => Err(GateError::TooMuch { durable, taken }),
            (None, durable) if durable == taken => Ok(()),
            (None, durable) => Err(GateError::Timeout {
                missing: taken - durable,
                limit: limit.unwrap_or_default(),
            }),
        }
    }
}

impl GateKeeper {
    /// The first `durable` bytes since the beginning are durable. Smaller numbers than an earlier
    /// one change nothing.
    pub fn acknowledge(&self, durable: u64) {
        let mut state = lock(&self.0.state);
        state.durable = state.durable.max(durable);
        drop(state);
        self.0.changed.notify_all();
    }

    /// Nothing more becomes durable: commands at the gate are failed with `code`, from now on.
    /// The first reason stays.
    pub fn fail(&self, code: CompletionCode) {
        let mut state = lock(&self.0.state);
        state.failed.get_or_insert(match code {
            CompletionCode::SUCCESS => CompletionCode::OPERATION_ABORTED,
            code => code,
        });
        drop(state);
        self.0.changed.notify_all();
    }
}

mod sealed {
    use super::{CompleteCommand, CompletionCode, DeviceError, FlushCommand};

    pub trait Barrier {
        fn pass(self) -> Result<(), DeviceError>;
        fn hold_back(self, code: CompletionCode) -> Result<(), DeviceError>;
    }

    impl Barrier for FlushCommand<'_> {
        fn pass(self) -> Result<(), DeviceError> {
            self.complete()
        }

        fn hold_back(self, code: CompletionCode) -> Result<(), DeviceError> {
            self.fail(code)
        }
    }

    impl Barrier for CompleteCommand<'_> {
        fn pass(self) -> Result<(), DeviceError> {
            self.complete()
        }

        fn hold_back(self, code: CompletionCode) -> Result<(), DeviceError> {
            self.fail(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::effort::{cases, length};

    const AT_ONCE: Option<Duration> = Some(Duration::ZERO);

    /// A step of a backup as the gate sees it.
    #[derive(Debug, Clone)]
    enum Step {
        Take(u16),
        /// Acknowledges so many of 256 parts of what was taken.
        Acknowledge(u8),
        Flush,
        Fail,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => any::<u16>().prop_map(Step::Take),
            4 => any::<u8>().prop_map(Step::Acknowledge),
            4 => Just(Step::Flush),
            1 => Just(Step::Fail),
        ]
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn a_flush_passes_exactly_when_all_before_it_is_durable(steps in vec(step(), 0..length(60, 12))) {
            let (mut gate, keeper) = Gate::new();
            let (mut taken, mut durable, mut failed) = (0_u64, 0_u64, false);
            for step in steps {
                match step {
                    Step::Take(bytes) => {
                        taken += u64::from(bytes);
                        prop_assert_eq!(gate.take(usize::from(bytes)), taken);
                    }
                    Step::Acknowledge(parts) => {
                        let bytes = taken * u64::from(parts) / 255;
                        durable = durable.max(bytes);
                        keeper.acknowledge(bytes);
                    }
                    Step::Fail => {
                        failed = true;
                        keeper.fail(CompletionCode::DISK_FULL);
                    }
                    Step::Flush => match gate.wait(AT_ONCE) {
                        Ok(()) => prop_assert!(!failed && durable == taken),
                        Err(GateError::Timeout { missing, .. }) => {
                            prop_assert!(!failed);
                            prop_assert_eq!(missing, taken - durable);
                        }
                        Err(GateError::Failed { code }) => {
                            prop_assert!(failed);
                            prop_assert_eq!(code, CompletionCode::DISK_FULL);
                        }
                        Err(other) => prop_assert!(false, "{other}"),
                    },
                }
            }
        }
    }

    #[test]
    fn a_waiting_flush_is_let_through_by_the_acknowledgement() {
        let (mut gate, keeper) = Gate::new();
        let end = gate.take(10);
        let other = thread::spawn(move || keeper.acknowledge(end));
        assert!(gate.wait(None).is_ok());
        other.join().unwrap();
    }

    #[test]
    fn an_acknowledgement_of_what_was_never_taken_is_an_error() {
        let (mut gate, keeper) = Gate::new();
        gate.take(10);
        keeper.acknowledge(11);
        let result = gate.wait(AT_ONCE);
        assert!(matches!(
            result,
            Err(GateError::TooMuch {
                durable: 11,
                taken: 10
            })
        ));
    }
}
