//! A real SQL Server, told over its own protocol to back up and restore through virtual devices.

mod address;
pub mod connection;
pub mod statement;

pub use address::{Address, AddressError, Devices, Encryption, Trust};
