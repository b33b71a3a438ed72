//! SQL Server on Windows, through its own COM library `sqlvdi.dll`.
//!
//! The library is installed and registered with the server; its width (32 or 64 bits) has to be
//! the program's. Run as an administrator or as the server's own account. Named instances are
//! given with [`SetConfig::instance`](crate::SetConfig::instance), the bare name without the
//! machine.
//!
//! Creating a set changes the access list of this process's handle, so that the server's account
//! may reach it; that is not serialised with other code that changes the list.
//!
//! Several processes can serve the devices of one set: see [`Secondary`] and [`open_part`].

mod apartment;
mod device;
#[expect(clippy::transmute_ptr_to_ptr, reason = "the macro makes it")]
mod interfaces;
mod secondary;
mod set;
mod transport;

pub use secondary::{Secondary, open_part};
pub use transport::Sqlvdi;
