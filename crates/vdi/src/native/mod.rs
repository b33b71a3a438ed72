//! What SQL Server's own interface has in common on Windows and Linux: structures in memory.

mod command;
mod config;
mod zone;

pub(crate) use command::{CommandPointer, RawVdcCommand};
pub(crate) use config::RawVdConfig;
pub(crate) use zone::Zone;
