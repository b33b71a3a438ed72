//! Pictures of a chain for people to look at.

mod tree;

pub use tree::tree;
