//! The write-ahead log as PostgreSQL names and archives it.

mod header;
mod history;
mod position;
mod segment;

pub use header::SegmentHeader;
pub use history::History;
pub use position::{ParsePositionError, Position};
pub use segment::Segment;
