//! Streams from the source to the target.

mod source;
mod target;
#[cfg(test)]
mod tests;

pub use super::link::SourceConfig;
pub use source::{Event as SourceEvent, Source};
pub use target::{Ending, Event as TargetEvent, Target, TargetConfig, Terms};
