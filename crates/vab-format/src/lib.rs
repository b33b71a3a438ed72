#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod block;
pub mod checksum;
pub mod codec;
#[cfg(feature = "encrypt")]
pub mod crypto;
mod envelope;
pub mod error;
pub mod features;
pub mod io;
pub mod limits;
pub mod record;
pub mod session;
pub mod stream;
#[cfg(test)]
mod testing;
pub mod vab;
pub mod vacm;
pub mod vasm;
mod wire;

pub use error::{AppendError, DecodeError, EncodeError, Part};

/// The version of the formats that this crate writes, and the greatest one that it reads.
pub const FORMAT_VERSION: u16 = 1;
