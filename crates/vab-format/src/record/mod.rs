//! Records: what a `.VAB` is made of behind its header.
//!
//! Every record begins at a multiple of 4096 with a frame of 128 bytes: the 64 bytes of what it
//! is, and the 64 bytes of where it was put. Its payload follows, and zero bytes up to the next
//! multiple of 4096.

mod buffer;
mod frame;
mod head;
mod kind;
mod placement;
mod trailer;

pub use buffer::RecordBuffer;
pub use frame::{FRAME_LENGTH, Frame, Position, length};
pub use head::{Head, RecordHeader};
pub use kind::RecordKind;
pub use placement::Placement;
pub use trailer::Trailer;
