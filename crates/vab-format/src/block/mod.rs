//! Blocks: the unit that travels and is stored.

mod codec;
mod header;

pub use codec::{BlockFlags, Codec};
pub use header::BlockHeader;
pub(crate) use header::{open, seal};
