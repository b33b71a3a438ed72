//! PostgreSQL as an [`Engine`](vab_engine::Engine): base backups and archived WAL go through
//! virtual devices into a job, and come back to any moment in between.
//!
//! PostgreSQL knows nothing of virtual devices. Its programs write and read plain streams, and
//! [`vab_vdi::raw`] makes devices of them; the rest is in this crate: the
//! [facts] about each stream in the terms of the chain, an [archive] that loses
//! nothing, and the order of a restore.
//!
//! The README beside this crate has the mapping and what is not offered.

#![forbid(unsafe_code)]
#![cfg(unix)]

pub mod archive;
mod base;
mod cluster;
mod engine;
mod error;
pub mod facts;
mod incoming;
mod programs;
pub mod wal;

pub use cluster::{Cluster, ClusterOptions};
pub use engine::Postgres;
pub use error::PostgresError;
pub use programs::{ProgramError, Programs};
