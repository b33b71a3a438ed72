//! How one side of a hub hears of the other.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use crate::patience::Patience;
use crate::sync::{lock, wait_while};

/// A condition of what is behind a lock. Whoever waits for it looks for a moment before it rests, and
/// only those who rest are woken.
#[derive(Debug, Default)]
pub(super) struct Signal {
    /// Goes up with each change.
    changes: AtomicUsize,
    /// Threads that rest; changed and read behind the lock.
    resting: AtomicUsize,
    wake: Condvar,
    patience: Mutex<Patience>,
}

impl Signal {
    /// What is behind the lock has changed such that one who waits can go on.
    pub(super) fn one<T>(&self, guard: MutexGuard<'_, T>) {
        if self.change(guard) {
            self.wake.notify_one();
        }
    }

    /// It has changed such that all who wait can go on.
    pub(super) fn all<T>(&self, guard: MutexGuard<'_, T>) {
        if self.change(guard) {
            self.wake.notify_all();
        }
    }

    /// Gives the lock back; says whether somebody rests.
    fn change<T>(&self, guard: MutexGuard<'_, T>) -> bool {
        self.changes.fetch_add(1, Ordering::Release);
        let rests = self.resting.load(Ordering::Relaxed) > 0;
        drop(guard);
        rests
    }

    /// Waits while `waiting` holds, at most for `limit`, but for the moment in which it looks.
    pub(super) fn wait_while<'a, T>(
        &self,
        mutex: &'a Mutex<T>,
        limit: Option<Duration>,
        mut waiting: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        let mut guard = lock(mutex);
        if limit == Some(Duration::ZERO) || !waiting(&mut guard) {
            return guard;
        }
        let seen = self.changes.load(Ordering::Acquire);
        drop(guard);
        self.look(seen);
        guard = lock(mutex);
        if !waiting(&mut guard) {
            return guard;
        }
        self.resting.fetch_add(1, Ordering::Relaxed);
        let (guard, _) = wait_while(&self.wake, guard, limit, waiting);
        self.resting.fetch_sub(1, Ordering::Relaxed);
        guard
    }

    /// Looks for another change.
    fn look(&self, seen: usize) {
        // If several wait, it does not matter whose experience is kept.
        let mut patience = *lock(&self.patience);
        patience.look(|| (self.changes.load(Ordering::Acquire) != seen).then_some(()));
        *lock(&self.patience) = patience;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn a_wait_without_time_is_none() {
        let (signal, mutex) = (Signal::default(), Mutex::new(()));
        let mut asked = 0;
        let guard = signal.wait_while(&mutex, Some(Duration::ZERO), |()| {
            asked += 1;
            true
        });
        drop(guard);
        assert_eq!(asked, 0);
    }

    #[test]
    fn a_wait_ends_with_its_limit() {
        let (signal, mutex) = (Signal::default(), Mutex::new(7));
        let guard = signal.wait_while(&mutex, Some(Duration::from_millis(1)), |_| true);
        assert_eq!(*guard, 7);
        assert_eq!(signal.resting.load(Ordering::Relaxed), 0);
    }

    /// If a change were made in front of a thread that rests on, nobody would wake it any more.
    #[test]
    fn nobody_rests_on_after_a_change() {
        const LIMIT: Option<Duration> = Some(Duration::from_secs(60));
        let rounds: u32 = if cfg!(miri) { 40 } else { 20_000 };
        let shared = Arc::new((Mutex::new(0_u32), Signal::default(), Signal::default()));
        let other = Arc::clone(&shared);
        // Two take turns: one makes even numbers odd.
        let odd = thread::spawn(move || {
            let (number, to_odd, to_even) = &*other;
            for _ in 0..rounds {
                let mut guard = to_odd.wait_while(number, LIMIT, |number| *number % 2 == 0);
                assert_eq!(*guard % 2, 1);
                *guard += 1;
                to_even.one(guard);
            }
        });
        let (number, to_odd, to_even) = &*shared;
        for round in 0..rounds {
            let mut guard = to_even.wait_while(number, LIMIT, |number| *number % 2 == 1);
            assert_eq!(*guard, 2 * round);
            *guard += 1;
            to_odd.one(guard);
        }
        odd.join().unwrap();
    }
}
