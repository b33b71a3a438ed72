//! A real SQL Server, told over its own protocol to back up and restore through virtual devices.
//!
//! [`Server`] is an [`Engine`](crate::Engine). It tells the server what to do; the server itself
//! opens the devices, by the names that stand in the statement, in the place that
//! [`Engine::devices`](crate::Engine::devices) names. What the server wrote down about a backup is
//! read from `msdb` by the name of the device set, which no other backup has.
//!
//! ```no_run
//! use vab_engine::Engine;
//! use vab_engine::mssql::{Address, Server};
//!
//! // The password comes from VAB_MSSQL_PASSWORD.
//! let address: Address = "mssql://backup@db1.example.com".parse()?;
//! let server = Server::open(&address)?;
//! for database in server.databases()? {
//!     println!("{}: {}, {}", database.name, database.state, database.recovery_model);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Parts
//!
//! | part | what it does |
//! |---|---|
//! | [`statement`] | T-SQL from types; refuses what the documentation rules out; knows no connection |
//! | [`connection`] | the small trait that stands before the driver, and the driver |
//! | `before` | version, rights, databases |
//! | `after` | the facts of a backup, and [`StreamWatch`], which holds them against the stream |
//! | `files` | where the files of a restored database go |

mod address;
mod after;
mod before;
pub mod connection;
mod devices;
mod files;
mod progress;
mod server;
pub mod statement;
mod trouble;

pub use address::{Address, AddressError, Devices, Encryption, Trust};
pub use after::{Disagreement, StreamWatch};
pub use before::{Identity, Platform};
pub use server::{Options, Server};
