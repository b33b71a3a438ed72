//! A backup repository: what is in it, and who may write it.

mod error;
pub(crate) mod layout;
mod marker;
mod open;
mod owner;

pub use error::OpenError;
pub use owner::Owner;
