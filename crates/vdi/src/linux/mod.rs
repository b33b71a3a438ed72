//! SQL Server on Linux, through its own library `libsqlvdi.so`.
//!
//! The library comes with the server (`/opt/mssql/lib`) and is loaded when it is needed. It has
//! no C interface: its entry points are methods of two C++ classes, found by their mangled names.
//! All that are used are looked up at once, and if one is missing the library is refused.
//!
//! Every device is pipe-like, because others are known not to work on Linux. There are no
//! instances: the instance of a [`SetConfig`](crate::SetConfig) is ignored.
//!
//! The server and the client meet in POSIX shared memory that belongs to the client's user and
//! group. Run as the server's own account, or put each account into the other's group and clear
//! the group bits of the umask; [`Library`] checks that before it creates a set. In a container,
//! both need the same IPC namespace and about 1 GiB of `/dev/shm`.

mod account;
mod device;
mod library;
mod set;
mod symbols;

pub use account::AccountError;
pub use library::{Library, LoadError};
