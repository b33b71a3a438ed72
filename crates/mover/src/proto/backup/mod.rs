//! Streams from the source to the target.

mod source;
mod target;

pub use super::link::SourceConfig;
pub use source::{Event as SourceEvent, Source};
pub use target::{Ending, Event as TargetEvent, Target, TargetConfig, Terms};
