//! Virtual devices inside one process: client and engine are threads of it.
//!
//! A [`Hub`] is both transports. Buffers are handed over, not copied, and their number is
//! bounded as SQL Server's `BUFFERCOUNT` bounds it: an engine that is faster than its client
//! waits.

mod client;
mod engine;
mod hub;
mod lane;
mod pool;
mod shared;
mod signal;

pub use hub::Hub;
