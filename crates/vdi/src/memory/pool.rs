//! The buffers of one set.

use std::sync::Mutex;
use std::time::Duration;

use super::signal::Signal;
use crate::buffer::Aligned;
use crate::sync::lock;

/// A bounded number of buffers, made when they are first needed.
#[derive(Debug, Default)]
pub(super) struct Pool {
    state: Mutex<State>,
    freed: Signal,
}

#[derive(Debug, Default)]
struct State {
    free: Vec<Aligned>,
    /// Buffers that may still be made.
    unmade: usize,
    /// Bytes of one buffer.
    length: usize,
}

impl Pool {
    /// Sets number and length of the buffers, before the first is taken.
    pub(super) fn configure(&self, count: usize, length: usize) {
        let mut state = lock(&self.state);
        state.free = Vec::with_capacity(count);
        state.unmade = count;
        state.length = length;
    }

    /// A buffer, as soon as one is free; `None` when none is within the time or `over` says that
    /// the wait is over.
    pub(super) fn take(
        &self,
        timeout: Option<Duration>,
        over: impl Fn() -> bool,
    ) -> Option<Aligned> {
        let none_free = |state: &mut State| state.free.is_empty() && state.unmade == 0 && !over();
        let mut state = self.freed.wait_while(&self.state, timeout, none_free);
        if let Some(buffer) = state.free.pop() {
            return Some(buffer);
        }
        state.unmade = state.unmade.checked_sub(1)?;
        let length = state.length;
        drop(state);
        Some(Aligned::new(length))
    }

    /// Gives a buffer back.
    pub(super) fn give(&self, buffer: Aligned) {
        let mut state = lock(&self.state);
        state.free.push(buffer);
        self.freed.one(state);
    }

    /// Wakes all who wait.
    pub(super) fn wake(&self) {
        self.freed.all(lock(&self.state));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Option<Duration> = Some(Duration::ZERO);

    #[test]
    fn there_are_never_more_buffers_than_agreed() {
        let pool = Pool::default();
        pool.configure(2, 16);
        let first = pool.take(AT_ONCE, || false).unwrap();
        let second = pool.take(AT_ONCE, || false).unwrap();
        let lengths = [&first, &second].map(|buffer| buffer.bytes().len());
        assert_eq!(lengths, [16, 16]);
        assert!(pool.take(AT_ONCE, || false).is_none());
        pool.give(first);
        assert!(pool.take(AT_ONCE, || false).is_some());
    }

    #[test]
    fn a_wait_ends_when_the_set_does() {
        let pool = Pool::default();
        pool.configure(0, 16);
        assert!(pool.take(None, || true).is_none());
    }
}
