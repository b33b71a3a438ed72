//! Connections on Windows: named pipes whose names are in files of the folder.
//!
//! Who may connect is decided by the system, through the access list of the pipe; who made a pipe
//! is read from its owner. Remote machines are refused.

#[expect(unsafe_code, reason = "calls of the system")]
mod account;
#[expect(unsafe_code, reason = "calls of the system")]
mod descriptor;
#[expect(unsafe_code, reason = "calls of the system")]
mod event;
mod folder;
#[expect(unsafe_code, reason = "calls of the system")]
mod instance;
mod listener;
#[expect(unsafe_code, reason = "calls of the system")]
mod operation;
mod place;
#[expect(unsafe_code, reason = "calls of the system")]
mod process;
mod socket;
mod user;
#[expect(unsafe_code, reason = "memory is shared with another process")]
mod view;

pub(super) use folder::prepare;
pub(super) use listener::{Listener, Wake, connect};
pub(super) use place::Place;
pub(super) use socket::Socket;
pub use user::User;
pub(super) use user::stranger;
pub(super) use view::{Shared, View, can_receive, receive, send};

/// What the calls of the system give when they failed.
const FALSE: i32 = 0;

/// Text as the system takes it.
fn wide(text: &str) -> Vec<u16> {
    let units = text.encode_utf16().filter(|&unit| unit != 0);
    units.chain([0]).collect()
}

/// Whether this is Wine, which does not do all that Windows does; says what is skipped.
#[cfg(test)]
fn wine_lacks(what: &str) -> bool {
    let is_wine =
        std::env::vars_os().any(|(name, _)| name == "WINEDATADIR" || name == "WINEPREFIX");
    if is_wine {
        println!("skipped: Wine does not {what}");
    }
    is_wine
}
