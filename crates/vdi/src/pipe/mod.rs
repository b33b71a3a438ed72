//! Virtual devices between processes of one machine, for engines that are no SQL Server.
//!
//! A [`Directory`] is a folder in which clients leave word of each set and engines find it by the
//! set's name. Every device has a connection of its own, and one more belongs to the set: it says
//! why the others were cut off. The death of a process closes its connections, which the other
//! side sees at once.
//!
//! | | Unix | Windows |
//! |---|---|---|
//! | a connection is | a Unix-domain socket, whose file is in the folder | a named pipe of a random name, which a file in the folder has |
//! | the data is | on Linux in memory that both processes have, else in the connections | in memory that both processes have |
//! | who may connect | the own user, root, and [allowed](Directory::allow_user) users, by the credentials of the socket | the own user, administrators, the system, and allowed users, by the access list of the pipe and the owner of the process or pipe |
//! | who cannot | other machines | other machines: the pipe refuses remote clients |
//!
//! With shared memory, commands and completions are in it as well, and the connection only wakes the
//! other side. It is woken for several commands at once, or when this side waits for it: while
//! commands come one after the other, one that is followed by nothing may be seen a few milliseconds
//! later.
//!
//! Where a folder is [told so](Directory::without_shared_memory), or the processes cannot share
//! memory, the data goes through the connections.
//!
//! Both sides check who is at the other end. Everything a peer sends is checked against the limits
//! of the set before memory is taken for it.

mod client;
mod directory;
mod engine;
mod file_name;
mod frame;
#[doc(hidden)]
pub mod fuzzing;
mod hello;
mod line;
#[cfg_attr(not(any(target_os = "linux", windows)), path = "no_memory.rs")]
#[cfg_attr(
    any(target_os = "linux", windows),
    expect(unsafe_code, reason = "memory is shared with another process")
)]
mod memory;
mod message;
mod session;
#[cfg(unix)]
#[path = "unix/mod.rs"]
mod sys;
#[cfg(windows)]
#[path = "windows/mod.rs"]
mod sys;
mod token;
mod user;

pub use directory::Directory;
pub use sys::User;
pub use user::UserError;
