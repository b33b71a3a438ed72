//! Thin helpers over `Read`, `Write` and `Seek`: whole files without a repository.
//!
//! They are for files at rest, for tests and for tools. They know nothing of locks, of syncing to
//! disk or of `.VASM`; a repository does that on top of [`crate::vab`].

mod reader;
mod salvage;
mod source;
mod stream;
mod verify;
mod writer;

pub use reader::{Session, VabReader};
pub use source::ReadError;
pub use stream::StreamReader;
pub use writer::{SessionWriter, VabWriter, WriteError};
