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

    /// Ends with this one, but not later than so long from now.
    #[cfg(any(target_os = "linux", windows))]
    pub(crate) fn within(self, limit: Duration) -> Self {
        let own = Self::after(Some(limit));
        match (self.0, own.0) {
            (Some(this), Some(other)) => Self(Some(this.min(other))),
            (this, other) => Self(this.or(other)),
        }
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
