//! Streams from the target back to the source.

mod source;
mod target;
#[cfg(test)]
mod tests;

pub use source::{Event as SourceEvent, Source};
pub use target::{Event as TargetEvent, Target};
