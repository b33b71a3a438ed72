//! Locks that outlive a panic of a thread that held them, and waits with an optional limit.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Locks. State under these locks is whole between any two statements, so poison means nothing.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits while `waiting` holds, at most for `limit`; the flag says whether the limit was reached.
pub(crate) fn wait_while<'a, T>(
    condvar: &Condvar,
    guard: MutexGuard<'a, T>,
    limit: Option<Duration>,
    waiting: impl FnMut(&mut T) -> bool,
) -> (MutexGuard<'a, T>, bool) {
    match limit {
        None => {
            let guard = condvar.wait_while(guard, waiting);
            (guard.unwrap_or_else(PoisonError::into_inner), false)
        }
        Some(limit) => {
            let waited = condvar.wait_timeout_while(guard, limit, waiting);
            let (guard, result) = waited.unwrap_or_else(PoisonError::into_inner);
            (guard, result.timed_out())
        }
    }
}
