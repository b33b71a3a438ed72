//! Blocks: the unit that travels and is stored.

mod codec;
mod codecs;
mod header;

pub use codec::{BlockFlags, Codec};
pub use codecs::Codecs;
pub use header::BlockHeader;
pub(crate) use header::{open, seal};
