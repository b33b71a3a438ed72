//! The server's clock, given from outside.

use std::sync::Mutex;

use vab_chain::ServerTime;

use crate::sim::lock;

/// The clock of an embedded server. Any `Fn() -> ServerTime` is one.
pub trait Clock: Send + Sync {
    /// The local time now.
    fn now(&self) -> ServerTime;
}

impl<F: Fn() -> ServerTime + Send + Sync> Clock for F {
    fn now(&self) -> ServerTime {
        self()
    }
}

/// A clock that moves only when it is told to, or by a fixed step each time it is read.
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<ServerTime>,
    step_micros: i64,
}

impl ManualClock {
    /// A clock that stands at `start`.
    pub fn new(start: ServerTime) -> Self {
        Self::ticking(start, 0)
    }

    /// A clock that stands at `start` and moves on by `step_micros` after each reading.
    pub fn ticking(start: ServerTime, step_micros: i64) -> Self {
        Self {
            now: Mutex::new(start),
            step_micros,
        }
    }

    /// Puts the clock to a time.
    pub fn set(&self, now: ServerTime) {
        *lock(&self.now) = now;
    }

    /// Moves the clock on by this many microseconds.
    pub fn advance(&self, micros: i64) {
        let mut now = lock(&self.now);
        *now = ServerTime::from_micros(now.as_micros().saturating_add(micros));
    }

    /// What the clock shows, without moving it.
    pub fn shows(&self) -> ServerTime {
        *lock(&self.now)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> ServerTime {
        let now = self.shows();
        self.advance(self.step_micros);
        now
    }
}
