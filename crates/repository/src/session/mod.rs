//! Sessions: one backup on its way in, or back out.

mod append;
mod block_write;
mod buffers;
mod error;
pub(crate) mod note;
mod placement;
mod reader;
mod request;

pub use append::AppendSession;
pub(crate) use append::{Place, Target};
pub use block_write::BlockWrite;
pub use error::{BeginError, CommitError, TakeUpError, WriteError};
pub(crate) use note::Note;
pub(crate) use placement::place;
pub use placement::{NewFile, Placement};
pub use reader::SessionReader;
pub use request::SessionRequest;
