//! Ends an operation of an engine from another thread.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Ends an operation of an engine from another thread. Clones are the same.
///
/// An engine in this program ends when its device set is aborted, and needs no more. A server is
/// told as well, so that its statement ends at once.
#[derive(Clone, Default)]
pub struct Cancel(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    cancelled: bool,
    tell: Vec<Box<dyn FnOnce() + Send>>,
}

impl Cancel {
    /// One that nobody has used yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the operation, now or as soon as it begins. Does not wait for its end.
    pub fn cancel(&self) {
        let tell = {
            let mut state = self.state();
            state.cancelled = true;
            std::mem::take(&mut state.tell)
        };
        for tell in tell {
            tell();
        }
    }

    /// Whether the operation is to end.
    pub fn is_cancelled(&self) -> bool {
        self.state().cancelled
    }

    /// Calls `tell` when the operation is to end; at once if that was said before.
    pub fn on_cancel(&self, tell: impl FnOnce() + Send + 'static) {
        let mut state = self.state();
        if state.cancelled {
            drop(state);
            tell();
        } else {
            state.tell.push(Box::new(tell));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here can be left half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cancel").field(&self.is_cancelled()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn everybody_is_told_once_before_or_after() {
        let told = Arc::new(AtomicUsize::new(0));
        let tell = || {
            let told = Arc::clone(&told);
            move || {
                told.fetch_add(1, Ordering::Relaxed);
            }
        };
        let cancel = Cancel::new();
        cancel.on_cancel(tell());
        assert!(!cancel.is_cancelled() && told.load(Ordering::Relaxed) == 0);
        cancel.clone().cancel();
        cancel.cancel();
        cancel.on_cancel(tell());
        assert!(cancel.is_cancelled());
        assert_eq!(told.load(Ordering::Relaxed), 2);
    }
}
