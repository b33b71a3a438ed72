//! An embedded database engine that behaves as SQL Server does where backups look.
//!
//! An [`Instance`] is a folder, or memory, with databases in it. A [`Database`] is a table of
//! rows under 64-bit keys on pages of 8 KiB, behind a write-ahead log whose LSNs have SQL
//! Server's structure (virtual log file, block, slot). It has recovery models, a differential
//! map, full, differential and log backups over many devices at once, and restores with a stop
//! in the middle of a log, on recovery forks.
//!
//! Time and GUIDs come from outside, so that a history can be repeated exactly.

mod bytes;
mod clock;
mod database;
mod digest;
mod extents;
mod ids;
mod instance;
mod locks;
mod log;
mod meta;
mod page;
mod registry;
mod stream;
mod table;
#[cfg(test)]
mod tests;
mod volume;

pub use clock::{Clock, ManualClock};
pub use database::{Database, Transaction, WorkError};
pub use digest::Digest;
pub use ids::Ids;
pub use instance::{Instance, InstanceError, Options};
pub use page::MAX_VALUE;
pub use stream::StripeWriter;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A lock is used even if a thread died with it: what it guards is checked when it is read, and
/// refusing all work would help nobody.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
