//! SQL Server's protocol, spoken by a server that plays a script.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and the lints know only test functions"
)]

#[cfg(target_os = "linux")]
mod browser;
mod driver;
mod facts;
#[path = "../../src/mssql/statement/tests/lexer.rs"]
mod lexer;
#[path = "../native/manifest.rs"]
mod manifest;
mod security;
mod server;
#[expect(dead_code, reason = "other tests use the rest")]
mod stand_in;
mod tds;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;

use tds::session::{Handler, PASSWORD, Secure, USER};
use vab_engine::mssql::connection::{Connect, ConnectError, Connection, Driver, Login};
use vab_engine::mssql::{Address, Encryption};

/// Starts a server that answers batches with this handler.
fn serve(secure: Option<Arc<dyn Secure>>, handler: impl Handler) -> SocketAddr {
    tds::session::listen(secure, Arc::new(handler))
}

/// Its address, without encryption.
fn plain(server: SocketAddr) -> Address {
    let mut address = Address::new(server.ip().to_string());
    address.port = Some(server.port());
    address.encryption = Encryption::Off;
    address
}

fn login(password: &str) -> Login {
    Login::Server {
        user: USER.to_owned(),
        password: password.to_owned().into(),
    }
}

fn connect(address: Address) -> Result<Box<dyn Connection>, ConnectError> {
    Driver::new(address, login(PASSWORD)).connect()
}
