//! From raw bytes to payloads and back.
//!
//! Blocks are compressed where the backup is read, each by itself, and every compressed block is
//! decompressed again and compared before it leaves: a fault in a compressor, or in the memory of
//! the machine, must not be found at the restore.

mod compression;
mod content;
mod decompress;
mod encoder;
mod probe;

pub use compression::{Bottleneck, Compression, ParseCompressionError};
pub use content::{ContentError, Decoder};
pub(crate) use decompress::Decompressor;
pub use encoder::{CompressError, Encoder};
