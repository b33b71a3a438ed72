//! The end of a wait that takes several system calls.

use std::time::{Duration, Instant};

/// When a wait ends; `None` inside is never.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// The wait ends so long from now.
    #[expect(
        clippy::disallowed_methods,
        reason = "a wait of several system calls has to measure how much of its limit is left"
    )]
    pub(crate) fn after(limit: Option<Duration>) -> Self {
        Self(limit.and_then(|limit| Instant::now().checked_add(limit)))
    }

    /// What is left of the wait; `None` when it has no end.
    #[expect(
        clippy::disallowed_methods,
        reason = "a wait of several system calls has to measure how much of its limit is left"
    )]
    pub(crate) fn left(self) -> Option<Duration> {
        self.0
            .map(|end| end.saturating_duration_since(Instant::now()))
    }

    /// Whether nothing is left of the wait.
    pub(crate) fn has_passed(self) -> bool {
        self.left().is_some_and(|left| left.is_zero())
    }
}
