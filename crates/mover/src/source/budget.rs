use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The bytes that one stream may hold until they are durable.
#[derive(Debug)]
pub(super) struct Budget {
    state: Mutex<State>,
    freed: Condvar,
    limit: u64,
}

#[derive(Debug, Default)]
struct State {
    used: u64,
    closed: bool,
}

/// A part of a budget; goes back when it is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Budget {
    pub(super) fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            freed: Condvar::new(),
            limit,
        })
    }

    /// Takes `bytes` as soon as they are there, or nothing else is out; says whether that was at
    /// once. `None` when the budget is closed.
    pub(super) fn take(self: &Arc<Self>, bytes: u64) -> Option<(Permit, bool)> {
        let full = |state: &State| state.used > 0 && state.used.saturating_add(bytes) > self.limit;
        let state = self.lock();
        let at_once = !full(&state);
        let mut state = self
            .freed
            .wait_while(state, |state| !state.closed && full(state))
            .unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return None;
        }
        state.used = state.used.saturating_add(bytes);
        drop(state);
        let budget = Arc::clone(self);
        Some((Permit { budget, bytes }, at_once))
    }

    /// Lets nobody wait any more.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.freed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// Gives back what is over `bytes`.
    pub(super) fn shrink(&mut self, bytes: u64) {
        let back = self.bytes.saturating_sub(bytes);
        self.bytes -= back;
        let mut state = self.budget.lock();
        state.used = state.used.saturating_sub(back);
        drop(state);
        self.budget.freed.notify_one();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.shrink(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_can_be_taken() {
        let budget = Budget::new(10);
        let (mut one, _) = budget.take(8).unwrap();
        one.shrink(3);
        let (two, at_once) = budget.take(7).unwrap();
        assert!(at_once);
        drop(two);
        one.shrink(9);
        assert_eq!(budget.lock().used, 3);
        drop(one);
        assert_eq!(budget.lock().used, 0);
    }

    #[test]
    fn one_that_is_larger_than_all_passes_alone() {
        let budget = Budget::new(10);
        let (large, _) = budget.take(100).unwrap();
        let waiting = std::thread::spawn({
            let budget = Arc::clone(&budget);
            move || budget.take(1).unwrap().0.bytes
        });
        drop(large);
        assert_eq!(waiting.join().unwrap(), 1);
    }

    #[test]
    fn who_waits_is_released_when_it_closes() {
        let budget = Budget::new(1);
        let _held = budget.take(1).unwrap();
        let waiting = std::thread::spawn({
            let budget = Arc::clone(&budget);
            move || budget.take(1).is_none()
        });
        budget.close();
        assert!(waiting.join().unwrap());
    }
}
