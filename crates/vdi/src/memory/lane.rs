//! The commands of one device on their way.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use super::signal::Signal;
use crate::patience::End;
use crate::seam::{Completion, RawCommand};
use crate::sync::lock;

/// One device between its two sides.
#[derive(Debug, Default)]
pub(super) struct Lane {
    state: Mutex<State>,
    to_client: Signal,
    to_engine: Signal,
    _ends: [End; 2],
}

#[derive(Debug, Default)]
struct State {
    pending: VecDeque<RawCommand>,
    done: VecDeque<Completion>,
    /// The engine closed the device.
    closed: bool,
}

/// What a client finds on its lane.
#[derive(Debug)]
pub(super) enum Found {
    Command(RawCommand),
    Nothing,
    Closed,
}

impl Lane {
    pub(super) fn submit(&self, command: RawCommand) {
        let mut state = lock(&self.state);
        state.pending.push_back(command);
        self.to_client.one(state);
    }

    pub(super) fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        self.to_client.one(state);
    }

    pub(super) fn complete(&self, completion: Completion) {
        let mut state = lock(&self.state);
        state.done.push_back(completion);
        self.to_engine.one(state);
    }

    /// Waits for a command, until `over` says that the wait is over; commands that are pending
    /// then are not given.
    pub(super) fn receive(&self, timeout: Option<Duration>, over: impl Fn() -> bool) -> Found {
        let waiting = |state: &mut State| state.pending.is_empty() && !state.closed && !over();
        let mut state = self.to_client.wait_while(&self.state, timeout, waiting);
        if state.closed && state.pending.is_empty() {
            return Found::Closed;
        }
        if over() {
            return Found::Nothing;
        }
        let next = state.pending.pop_front();
        next.map_or(Found::Nothing, Found::Command)
    }

    /// Waits for a completion, until `over` says that the wait is over.
    pub(super) fn reap(
        &self,
        timeout: Option<Duration>,
        over: impl Fn() -> bool,
    ) -> Option<Completion> {
        let waiting = |state: &mut State| state.done.is_empty() && !over();
        let mut state = self.to_engine.wait_while(&self.state, timeout, waiting);
        state.done.pop_front()
    }

    /// Wakes both sides.
    pub(super) fn wake(&self) {
        self.to_client.all(lock(&self.state));
        self.to_engine.all(lock(&self.state));
    }
}
