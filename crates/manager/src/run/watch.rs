//! Progress of a run, for whoever shows it.

use std::fmt;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use super::budget::Budget;
use super::failure::Failure;
use super::guard::Decision;
use super::report::DatabaseReport;
use crate::observer::Observer;

/// What happens during a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RunEvent<'e> {
    /// The databases are known.
    Begins {
        /// How many.
        databases: usize,
        /// The streams that may be open at once.
        budget: Budget,
    },
    /// A backup begins.
    Backup {
        /// Of this database.
        database: &'e str,
        /// What is taken, and why.
        decision: &'e Decision,
        /// In so many streams.
        streams: NonZeroU16,
    },
    /// A try failed and another will be made.
    Again {
        /// The database.
        database: &'e str,
        /// What happened.
        failure: &'e Failure,
        /// When the next try begins.
        wait: Duration,
    },
    /// A restore point does not connect, because somebody else took a backup at the same time;
    /// another backup is taken at once.
    Mends {
        /// The database.
        database: &'e str,
        /// What is wrong with the restore point.
        reason: &'e str,
    },
    /// A database is through.
    Through(&'e DatabaseReport),
}

/// Who is told. Called from the tasks of the run: neither may block.
#[derive(Clone)]
pub struct RunWatch {
    tell: Arc<dyn Fn(&RunEvent<'_>) + Send + Sync>,
    transfers: Arc<dyn Fn() -> Observer + Send + Sync>,
}

impl RunWatch {
    /// Calls `tell` with what happens, and asks `transfers` for an observer for each transfer;
    /// several run at once.
    pub fn new(
        tell: impl Fn(&RunEvent<'_>) + Send + Sync + 'static,
        transfers: impl Fn() -> Observer + Send + Sync + 'static,
    ) -> Self {
        Self {
            tell: Arc::new(tell),
            transfers: Arc::new(transfers),
        }
    }

    pub(super) fn tell(&self, event: &RunEvent<'_>) {
        (self.tell)(event);
    }

    pub(super) fn transfer(&self) -> Observer {
        (self.transfers)()
    }
}

impl Default for RunWatch {
    /// Nobody.
    fn default() -> Self {
        Self::new(|_| {}, Observer::default)
    }
}

impl fmt::Debug for RunWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunWatch(..)")
    }
}
