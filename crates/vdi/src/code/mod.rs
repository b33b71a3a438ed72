//! The numbers of the interface, with names.

mod command;
mod completion;
mod feature;
mod vd;

pub use command::CommandCode;
pub use completion::CompletionCode;
pub use feature::Features;
pub use vd::VdCode;
