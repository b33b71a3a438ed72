//! Data movers: carry backup streams from virtual devices to a repository and back over a network.

#![forbid(unsafe_code)]

mod block;
mod checksum;
mod clock;
mod net;
mod pool;
pub mod proto;
pub mod source;
mod store;
pub mod target;
#[cfg(test)]
mod testing;

pub use block::Block;
pub use source::{Source, SourceOptions};
pub use store::{Intake, Outlet, Refusal, RefusalKind, Resumption, Store, StoreError};
