//! The protocol without sockets, threads or clocks.
//!
//! Four state machines, a pair for each direction: [`backup::Source`] and [`backup::Target`],
//! [`restore::Source`] and [`restore::Target`]. A driver hands them frames, the time and what its
//! devices or store did; they hand back frames to send and events to act on. Payloads pass as
//! handles and are never looked at. `PROTOCOL.md` has the bytes and the states.

pub mod backup;
pub mod control;
mod decoder;
mod failure;
mod fields;
pub mod frame;
mod hello;
mod keys;
mod link;
mod liveness;
mod moment;
mod position;
mod rate;
mod redial;
pub mod restore;
mod secret;
mod streams;
mod violation;
mod window;

pub use decoder::FrameDecoder;
pub use failure::Failure;
pub use hello::{Agreement, Features, Hello, HelloError, OLDEST_VERSION, VERSION};
pub use liveness::LivenessConfig;
pub use moment::Moment;
pub use position::{OutOfOrder, Position};
pub use rate::{Bucket, Rate, RateError};
pub use redial::ResumePolicy;
pub use secret::Secret;
pub use violation::Violation;
