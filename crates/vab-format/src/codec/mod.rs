//! From raw bytes to payloads and back.

mod content;

pub use content::{ContentError, decode};
