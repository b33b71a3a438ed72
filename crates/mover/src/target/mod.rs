//! The target mover: serves a [`Store`](crate::Store) to sources.

mod bind;
mod desk;
mod door;
mod entrance;
mod intake;
mod lanes;
mod lobby;
mod options;
mod outlet;
mod serve;
mod sessions;
mod slots;
mod turns;
mod writers;

pub use bind::{BindError, bind};
pub use desk::{Desk, SessionInfo};
pub use options::{Exposure, Security, TargetOptions};
pub use serve::{ServeError, serve};
pub use slots::Slots;
