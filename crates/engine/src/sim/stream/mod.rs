//! The stream of a backup on one device, and the set of them.
//!
//! A stripe is a sequence of frames: a head, data frames, a tail, zeros up to a whole block. A
//! frame is a header of 32 bytes and a payload; its checksum covers both. Data frames are
//! numbered from 0 over the whole set, and frame `n` is on stripe `n` modulo the stripes, so
//! that all devices are busy at once and the order can be told when they are read.

mod facts;
mod frame;
mod sink;
mod source;

pub use sink::StripeWriter;

pub(crate) use facts::{SetHead, SetTail};
pub(crate) use frame::{Frame, Kind};
pub(crate) use sink::{Inline, Sink, Stripes, Threaded, write_head, write_tail};
pub(crate) use source::{Set, Source, Threads, stripes};

/// Bytes of data that are put in one frame, about.
pub(crate) const FRAME_DATA: usize = 256 << 10;
