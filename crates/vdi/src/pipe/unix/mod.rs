//! Connections on Unix: sockets in the folder.

mod folder;
mod listener;
mod place;
mod socket;
mod user;
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "memory is shared with another process")]
mod view;

pub(super) use folder::prepare;
pub(super) use listener::{Listener, Wake, connect};
pub(super) use place::Place;
pub(super) use socket::Socket;
pub use user::User;
pub(super) use user::stranger;
#[cfg(target_os = "linux")]
pub(super) use view::{Shared, View, can_receive, receive, send};
