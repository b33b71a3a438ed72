//! Virtual devices inside one process: client and engine are threads of it.
//!
//! A [`Hub`] is both transports. Buffers are handed over, not copied, and their number is
//! bounded as SQL Server's `BUFFERCOUNT` bounds it: an engine that is faster than its client
//! waits. What a client keeps of them ([`WriteCommand::keep`](crate::WriteCommand::keep)) comes on
//! top, as many as it said ([`Device::keep_at_most`](crate::Device::keep_at_most)), none at first.

mod client;
mod engine;
mod hub;
mod lane;
mod lease;
mod pool;
mod shared;
mod signal;

pub use hub::Hub;
pub use lease::KeptBuffer;
pub(crate) use lease::Lease;
