//! What is asked of a server before a backup or restore.

mod databases;
mod identity;

pub(super) use databases::{databases, of_row};
pub(super) use identity::identity;
pub use identity::{Identity, Platform};
