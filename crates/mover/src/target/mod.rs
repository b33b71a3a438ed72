//! The target mover: serves a [`Store`](crate::Store) to sources.

mod bind;
mod door;
mod intake;
mod options;
mod outlet;
mod serve;
mod sessions;
mod writers;

pub use bind::{BindError, bind};
pub use options::{Exposure, TargetOptions};
pub use serve::{ServeError, serve};
