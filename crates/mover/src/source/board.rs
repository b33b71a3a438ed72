use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::proto::Failure;

/// Where the session tells the device threads, and whoever waits for them, how it stands.
#[derive(Debug)]
pub(super) struct Board {
    state: Mutex<State>,
    changed: Condvar,
    /// Counts changes, for those who wait without a thread.
    ticks: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    durable: Vec<u64>,
    ended: usize,
    failure: Option<Failure>,
    closed: bool,
}

impl Board {
    pub(super) fn new(streams: usize) -> Self {
        Self {
            state: Mutex::new(State {
                durable: vec![0; streams],
                ..State::default()
            }),
            changed: Condvar::new(),
            ticks: watch::Sender::new(0),
        }
    }

    pub(super) fn durable(&self, stream: u16, blocks: u64, ended: bool) {
        self.change(|state| {
            if let Some(durable) = state.durable.get_mut(usize::from(stream)) {
                *durable = blocks.max(*durable);
            }
            state.ended += usize::from(ended);
        });
    }

    /// The session failed; the first failure stays.
    pub(super) fn fail(&self, failure: Failure) {
        self.change(|state| {
            state.failure.get_or_insert(failure);
            state.closed = true;
        });
    }

    /// Lets nobody wait any more.
    pub(super) fn close(&self) {
        self.change(|state| state.closed = true);
    }

    /// Blocks the thread until so many blocks of the stream are durable; false if that will never
    /// be.
    pub(super) fn wait_durable(&self, stream: u16, blocks: u64) -> bool {
        let reached = |state: &State| {
            state
                .durable
                .get(usize::from(stream))
                .is_some_and(|durable| *durable >= blocks)
        };
        let state = self
            .changed
            .wait_while(self.lock(), |state| !state.closed && !reached(state))
            .unwrap_or_else(PoisonError::into_inner);
        reached(&state)
    }

    /// Waits until all streams are over and safe at the target, or the session failed.
    pub(super) async fn wait_ended(&self) -> Result<(), Option<Failure>> {
        let mut ticks = self.ticks.subscribe();
        loop {
            {
                let state = self.lock();
                if state.ended >= state.durable.len() {
                    return Ok(());
                }
                if state.closed {
                    return Err(state.failure.clone());
                }
            }
            if ticks.changed().await.is_err() {
                return Err(None);
            }
        }
    }

    /// Waits until the session failed or was closed.
    pub(super) async fn wait_closed(&self) {
        let mut ticks = self.ticks.subscribe();
        while !self.lock().closed && ticks.changed().await.is_ok() {}
    }

    pub(super) fn failure(&self) -> Option<Failure> {
        self.lock().failure.clone()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
        self.ticks
            .send_modify(|ticks| *ticks = ticks.wrapping_add(1));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_flush_waits_for_its_own_stream() {
        let board = Arc::new(Board::new(2));
        let waiting = std::thread::spawn({
            let board = Arc::clone(&board);
            move || board.wait_durable(1, 3)
        });
        board.durable(0, 3, false);
        board.durable(1, 2, false);
        board.durable(1, 3, false);
        assert!(waiting.join().unwrap());
    }

    #[test]
    fn a_flush_is_never_answered_well_after_a_failure() {
        let board = Board::new(1);
        board.fail(Failure::BySource {
            reason: "test".into(),
        });
        assert!(!board.wait_durable(0, 1));
    }
}
