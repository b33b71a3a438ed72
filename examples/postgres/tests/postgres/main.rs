//! A real PostgreSQL server, backed up into a job over the movers, lost, and restored.
//!
//! Where there is no server, every test says so and does nothing.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod archive_gap;
mod failures;
mod lab;
mod point_in_time;
mod stop_beyond;
mod timelines;
