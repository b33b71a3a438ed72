//! What people see.

pub(crate) mod bars;
pub(crate) mod bytes;
pub(crate) mod out;
pub(crate) mod run;
pub(crate) mod survey;
pub(crate) mod tree;
