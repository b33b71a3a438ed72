//! Virtual devices between processes of one machine, for engines that are no SQL Server.
//!
//! A [`Directory`] is a folder in which clients leave a socket per set and engines find it by the
//! set's name. Every device has a connection of its own, and one more belongs to the set: it says
//! why the others were cut off. The death of a process closes its connections, which the other
//! side sees at once.
//!
//! On Linux the data is in memory that both processes have; elsewhere, or where the folder is told
//! so, it goes through the connections.
//!
//! Both sides check who is at the other end: the own user and root, and users that were
//! [allowed](Directory::allow_user). Everything a peer sends is checked against the limits of the
//! set before memory is taken for it.

mod client;
mod directory;
mod engine;
mod frame;
mod hello;
#[cfg_attr(not(target_os = "linux"), path = "no_memory.rs")]
#[cfg_attr(
    target_os = "linux",
    expect(unsafe_code, reason = "memory is shared with another process")
)]
mod memory;
mod message;
mod place;
mod session;
mod socket;

pub use directory::Directory;
