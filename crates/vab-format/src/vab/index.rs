//! Where the blocks of a stream are.

mod builder;
mod entry;
mod segment;
mod stream;

pub use builder::IndexBuilder;
pub use entry::IndexEntry;
pub use segment::{IndexSegment, SegmentRef};
pub use stream::{Found, StreamIndex};
