//! What people see.

pub mod bytes;
pub mod bars;
pub mod tree;
