//! One device of a client.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use super::command::{Command, Held};
use super::core::SetCore;
use super::refused::Refused;
use crate::code::{CommandCode, CompletionCode};
use crate::configuration::{Configuration, Direction};
use crate::error::DeviceError;
use crate::name::DeviceName;
use crate::seam::{Cause, ClientDeviceLink, Completion, RawCommand, Received};

/// One open device. It moves between threads, but only one thread at a time serves it.
///
/// Several commands may be held at a time and completed in any order; a pipe-like client stores
/// data in the order in which the commands came. Dropping a device that has not ended aborts its
/// set.
///
/// A device cannot be shared between threads:
///
/// ```compile_fail
/// fn share<T: Sync>(_: &T) {}
/// fn try_it(device: vab_vdi::Device) {
///     share(&device);
/// }
/// ```
///
/// A command cannot outlive its device:
///
/// ```compile_fail
/// fn try_it(device: vab_vdi::Device) {
///     let event = device.next_command(None).unwrap();
///     drop(device);
///     drop(event);
/// }
/// ```
#[derive(Debug)]
pub struct Device {
    core: Arc<SetCore>,
    link: Box<dyn ClientDeviceLink>,
    name: DeviceName,
    configuration: Configuration,
    state: RefCell<State>,
    held: Cell<usize>,
    finished: Cell<bool>,
    refused: Cell<Refused>,
}

#[derive(Debug)]
enum State {
    Open,
    Ended,
    Failed(DeviceError),
}

/// What a device has to say.
#[derive(Debug)]
pub enum Event<'d> {
    /// A command to serve.
    Command(Command<'d>),
    /// No command came in time. The caller decides what that means.
    TimedOut,
    /// The engine closed the device: the normal end. It stays the answer from now on.
    Ended,
}

impl Device {
    pub(crate) fn new(
        core: Arc<SetCore>,
        link: Box<dyn ClientDeviceLink>,
        name: DeviceName,
        configuration: Configuration,
    ) -> Self {
        core.device_opened();
        Self {
            core,
            link,
            name,
            configuration,
            state: RefCell::new(State::Open),
            held: Cell::new(0),
            finished: Cell::new(false),
            refused: Cell::default(),
        }
    }

    /// The device's name.
    pub fn name(&self) -> &DeviceName {
        &self.name
    }

    /// What the set was configured to.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// The commands that were answered with "not supported" so far.
    pub fn refused(&self) -> Refused {
        self.refused.get()
    }

    /// A handle that aborts the set from any thread.
    pub fn abort_handle(&self) -> super::AbortHandle {
        super::AbortHandle::new(&self.core)
    }

    /// How many buffers of its set this device may keep at a time, with
    /// [`WriteCommand::keep`](super::WriteCommand::keep): none unless it is said here. Devices of a
    /// set share what they may keep together.
    ///
    /// That bounds the memory: the set takes that of the engine's buffers and of those that may be
    /// kept, each of the greatest transfer's size, and never more. If it is lowered, what was kept
    /// stays; it is freed when it comes back. It ends with the device. Back ends whose memory is
    /// another process's keep nothing, whatever is said here.
    pub fn keep_at_most(&self, buffers: usize) {
        self.link.keep_at_most(buffers);
    }

    /// Waits for the next command, without limit if no timeout is given.
    ///
    /// `ClearError` is answered here, and so are commands that a pipe-like device does not have.
    ///
    /// # Errors
    /// When the set was aborted, the engine is gone, or it broke the rules. The device is dead
    /// then and gives the same error again.
    pub fn next_command(&self, timeout: Option<Duration>) -> Result<Event<'_>, DeviceError> {
        match &*self.state.borrow() {
            State::Open => {}
            State::Ended => return Ok(Event::Ended),
            State::Failed(error) => return Err(error.clone()),
        }
        loop {
            let raw = match self.link.receive(timeout) {
                Ok(Received::Command(raw)) => raw,
                Ok(Received::TimedOut) => return Ok(Event::TimedOut),
                Ok(Received::Ended) => {
                    self.leave(State::Ended);
                    return Ok(Event::Ended);
                }
                Err(error) => return Err(self.fail(error)),
            };
            if let Some(command) = self.accept(raw)? {
                return Ok(Event::Command(command));
            }
        }
    }

    /// Turns a command into what the caller serves, or answers it.
    fn accept(&self, raw: RawCommand) -> Result<Option<Command<'_>>, DeviceError> {
        use Direction::{Backup, Restore};
        let has_data = matches!(raw.code, CommandCode::READ | CommandCode::WRITE);
        let room = raw
            .buffer
            .bytes()
            .len()
            .min(self.configuration.geometry.max_len());
        if has_data && raw.size > room {
            let reason = format!("a {} command of {} bytes", raw.code, raw.size);
            return Err(self.fail(DeviceError::Protocol { reason }));
        }
        let (code, direction) = (raw.code, self.configuration.direction);
        if code == CommandCode::CLEAR_ERROR {
            self.answer(raw, CompletionCode::SUCCESS)?;
            return Ok(None);
        }
        self.held.set(self.held.get() + 1);
        let held = Held::new(self, raw);
        Ok(Some(match (code, direction) {
            (CommandCode::WRITE, Backup) => Command::write(held),
            (CommandCode::READ, Restore) => Command::read(held),
            (CommandCode::FLUSH, _) => Command::flush(held),
            (CommandCode::COMPLETE, _) if self.configuration.complete_enabled => {
                Command::finish(held)
            }
            _ => {
                self.refused.set(self.refused.get().record(code));
                held.complete(CompletionCode::NOT_SUPPORTED, 0)?;
                return Ok(None);
            }
        }))
    }

    fn answer(&self, raw: RawCommand, code: CompletionCode) -> Result<(), DeviceError> {
        let completion = Completion {
            ticket: raw.ticket,
            command: raw.code,
            code,
            bytes: 0,
            buffer: raw.buffer,
        };
        self.link
            .complete(completion)
            .map_err(|error| self.fail(error))
    }

    /// Completes a command that was held.
    pub(crate) fn complete(&self, completion: Completion) -> Result<(), DeviceError> {
        self.held.set(self.held.get().saturating_sub(1));
        let result = self.link.complete(completion);
        self.finish_if_unused();
        result.map_err(|error| self.fail(error))
    }

    /// The device is dead from now on, and with it the set.
    fn fail(&self, error: DeviceError) -> DeviceError {
        if !matches!(error, DeviceError::Aborted | DeviceError::EngineLost) {
            self.core.abort(Cause::Asked);
        }
        self.leave(State::Failed(error.clone()));
        error
    }

    fn leave(&self, to: State) {
        let mut state = self.state.borrow_mut();
        if matches!(*state, State::Open) {
            *state = to;
            drop(state);
            self.finish_if_unused();
        }
    }

    /// The set may be closed, which takes the buffers away, only when no command is held.
    fn finish_if_unused(&self) {
        let normally = match *self.state.borrow() {
            State::Open => return,
            State::Ended => true,
            State::Failed(_) => false,
        };
        if self.held.get() == 0 && !self.finished.replace(true) {
            self.core.device_finished(normally);
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        if matches!(*self.state.borrow(), State::Open) {
            self.core.abort(Cause::Abandoned);
            self.state.replace(State::Failed(DeviceError::Aborted));
        }
        // A command that was leaked cannot be reached any more: its borrow has ended.
        self.held.set(0);
        self.finish_if_unused();
    }
}
