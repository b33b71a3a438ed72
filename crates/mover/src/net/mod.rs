//! Frames over any pair of byte streams of tokio.

mod link;
mod wire;

pub(crate) use link::{Incoming, Link, LinkEvent, Outgoing};
pub(crate) use wire::{Halves, LinkError, greet, read_frame, write_frame};
