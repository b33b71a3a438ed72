//! The real program against a stand-in for SQL Server: over its protocol, through virtual devices
//! between two processes.
#![cfg(all(any(unix, windows), feature = "mssql"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and the lints know only test functions"
)]

mod chain;
#[path = "../common/mod.rs"]
mod common;
mod faults;
mod lab;
#[path = "../../../../crates/engine/src/mssql/statement/tests/lexer.rs"]
mod lexer;
mod looks;
mod options;
#[path = "../../../../crates/engine/tests/mssql/stand_in/mod.rs"]
mod stand_in;
mod tail;
#[expect(dead_code, reason = "other tests use the rest")]
#[path = "../../../../crates/engine/tests/mssql/tds/mod.rs"]
mod tds;
mod watch;
