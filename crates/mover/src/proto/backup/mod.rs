//! Streams from the source to the target.

mod source;
mod source_stream;
mod target;
mod target_stream;

pub use source::{Event as SourceEvent, Source, SourceConfig};
pub use target::{Ending, Event as TargetEvent, Target, TargetConfig, Terms};
