//! Reading `.VAB` files: the header, the end of what is committed, commits by their number.

mod error;
mod tail;
mod vab;

pub use error::ReadError;
pub(crate) use tail::{Tail, find_tail, last_commit_at, undamaged};
pub(crate) use vab::{FoundCommit, VabFile, decode_frame, read_key_area};
