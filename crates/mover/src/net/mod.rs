//! Frames over any pair of byte streams of tokio.

#[cfg(feature = "tls")]
mod ahead;
mod guard;
mod link;
mod pace;
#[cfg(feature = "tls")]
mod tls;
mod wire;

pub(crate) use link::{Incoming, Link, LinkEvent, Outgoing};
pub use pace::Throttle;

pub(crate) use guard::{Allowance, Guarded};
pub(crate) use pace::Throttles;
#[cfg(feature = "tls")]
pub(crate) use tls::{accept, connect};
pub(crate) use wire::{Greeting, Halves, LinkError, greet, read_frame, write_frame};
