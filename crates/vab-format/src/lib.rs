//! Codec of the .VAB, .VASM and .VACM backup container files: bytes in, bytes out.

#![forbid(unsafe_code)]

pub mod block;
pub mod checksum;
pub mod error;
pub mod limits;
pub mod record;
pub mod session;
pub mod stream;
#[cfg(test)]
mod testing;
mod wire;

pub use error::{DecodeError, EncodeError, Part};
