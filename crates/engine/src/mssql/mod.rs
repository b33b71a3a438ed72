//! A real SQL Server, told over its own protocol to back up and restore through virtual devices.

pub mod statement;
