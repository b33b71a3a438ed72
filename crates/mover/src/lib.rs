//! Data movers: carry backup streams from virtual devices to a repository and back over a network.

#![forbid(unsafe_code)]

mod block;
mod checksum;
pub mod proto;
mod store;
#[cfg(test)]
mod testing;

pub use block::Block;
pub use store::{Intake, Outlet, Refusal, RefusalKind, Resumption, Store, StoreError};
