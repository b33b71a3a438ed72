//! `.VAB`: the file that holds the data of many sessions.

mod append;
mod commit;
mod header;
mod index;
mod key_area;
mod links;
mod packed_keys;
mod slot;
mod walk;

pub use append::{Append, Closing, End, PlacedBlock, PlacedRecord};
pub use commit::Commit;
pub use header::VabHeader;
pub(crate) use header::check_data_start;
pub use index::{Found, IndexBuilder, IndexEntry, IndexSegment, SegmentRef, StreamIndex};
pub use key_area::{KeyArea, SlotPage};
pub use links::Links;
pub use slot::{Argon2Cost, KeySlot, SlotKind};
pub use walk::{Walk, Walked};
