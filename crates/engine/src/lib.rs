//! Database engines that can be backed up through virtual devices: native SQL Server backup files and an embedded engine.

#![forbid(unsafe_code)]

pub mod bak;
pub mod mtf;
