//! What the server wrote down about a backup, and whether the stream says the same.

mod set;
mod watch;

pub(super) use set::{mark_of_row, marks, of_row, sets_on};
pub use watch::{Disagreement, StreamWatch};
