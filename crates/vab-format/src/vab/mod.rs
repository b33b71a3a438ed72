//! `.VAB`: the file that holds the data of many sessions.

mod append;
mod commit;
mod header;
mod index;
mod links;
mod walk;

pub use append::{Append, Closing, End, PlacedBlock, PlacedRecord};
pub use commit::Commit;
pub use header::VabHeader;
pub(crate) use header::check_data_start;
pub use index::{Found, IndexBuilder, IndexEntry, IndexSegment, SegmentRef, StreamIndex};
pub use links::Links;
pub use walk::{Walk, Walked};
