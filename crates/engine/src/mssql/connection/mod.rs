//! A connection to a server: what this crate needs of a driver, and the driver behind it.

mod driver;
mod listener;
mod row;

pub use driver::{Driver, Login};
pub use row::{Row, RowError, Value};

use std::time::Duration;

use crate::cancel::Cancel;
use crate::mssql::statement::Statement;

/// Opens connections to one server.
pub trait Connect: Send + Sync {
    /// Opens a connection.
    ///
    /// # Errors
    /// When the server cannot be reached, is not the one that is meant, or does not let the login
    /// in.
    fn connect(&self) -> Result<Box<dyn Connection>, ConnectError>;
}

/// One connection, which does one thing after another.
pub trait Connection: Send {
    /// Runs a statement and returns the rows of its first result.
    ///
    /// Blocks until the server has said everything, without a time limit unless `limit` has one.
    /// What the server tells meanwhile (progress, warnings) goes to `told`. `cancel` ends the
    /// statement from another thread: the server is asked to stop, and the call returns
    /// [`ExecuteError::Cancelled`].
    ///
    /// # Errors
    /// When the server refuses, or the connection fails. After anything but
    /// [`ExecuteError::Server`] the connection is closed.
    fn execute(
        &mut self,
        statement: &Statement,
        limit: Option<Duration>,
        cancel: &Cancel,
        told: &mut dyn FnMut(&Info),
    ) -> Result<Vec<Row>, ExecuteError>;
}

/// Something that a server told while it worked, which is no error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info {
    /// The message number, if the driver hands it on.
    pub number: Option<u32>,
    /// The text, in the language of the login.
    pub message: String,
}

impl Info {
    /// A message of which only the text is known.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            number: None,
            message: message.into(),
        }
    }
}

/// An error of the server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (message {number}, state {state})")]
#[non_exhaustive]
pub struct ServerError {
    /// The message number.
    pub number: u32,
    /// Tells apart the places that give the same number.
    pub state: u8,
    /// The severity, 11 to 25.
    pub severity: u8,
    /// The text.
    pub message: String,
    /// Errors that came with it; the last one often says only that the statement ended.
    pub followed_by: Vec<Follow>,
}

/// An error that came after the first.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Follow {
    /// The message number, if it is known.
    pub number: Option<u32>,
    /// The text.
    pub message: String,
}

impl ServerError {
    /// An error with nothing after it.
    pub fn new(number: u32, state: u8, severity: u8, message: impl Into<String>) -> Self {
        Self {
            number,
            state,
            severity,
            message: message.into(),
            followed_by: Vec::new(),
        }
    }
}

/// Why there is no connection.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nobody answers.
    #[error(
        "SQL Server at {address} cannot be reached ({reason}); is it running, is TCP/IP enabled for it, and is the port open?"
    )]
    Unreachable {
        /// The server.
        address: String,
        /// The system's reason.
        reason: String,
    },
    /// The connection could not be encrypted, or the certificate is not trusted.
    #[error(
        "the connection to SQL Server at {address} cannot be secured ({reason}); give the certificate of its authority with trust=FILE, or the name that it has with name=NAME"
    )]
    Tls {
        /// The server.
        address: String,
        /// What is wrong.
        reason: String,
    },
    /// The server does not let the login in.
    #[error("SQL Server at {address} does not let {login} in: {error}{}", advice(error.number))]
    Login {
        /// The server.
        address: String,
        /// Who tried.
        login: String,
        /// What the server says.
        #[source]
        error: ServerError,
    },
    /// A login without a password.
    #[error(
        "the login {login} needs a password: put it into the environment variable VAB_MSSQL_PASSWORD"
    )]
    NoPassword {
        /// Who tries.
        login: String,
    },
    /// A login with the account of the process where that is not possible.
    #[error(
        "on this system a login needs a name: write mssql://USER@HOST and put the password into VAB_MSSQL_PASSWORD (Windows accounts log in by themselves only from Windows)"
    )]
    NoIntegratedLogin,
    /// What answers does not speak the protocol.
    #[error(
        "what answers at {address} is no SQL Server, or not one that can be talked to ({reason})"
    )]
    Protocol {
        /// The server.
        address: String,
        /// What was not understood.
        reason: String,
    },
    /// The thread of the connection could not be started.
    #[error("a thread for the connection cannot be started ({reason})")]
    Thread {
        /// The system's reason.
        reason: String,
    },
}

fn advice(number: u32) -> &'static str {
    match number {
        18456 => {
            "; is the password in VAB_MSSQL_PASSWORD right, and does the server take SQL Server logins (mixed mode)?"
        }
        18470 => "; the login is disabled",
        18487 | 18488 => "; the password has to be changed first",
        4060 | 4064 => "; give the login a default database that it may open",
        _ => "",
    }
}

/// Why a statement did not succeed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecuteError {
    /// The server says no.
    #[error(transparent)]
    Server(ServerError),
    /// It was cancelled.
    #[error("the statement was cancelled")]
    Cancelled,
    /// It took longer than its limit.
    #[error("the server did not answer within {} seconds", .limit.as_secs())]
    TimedOut {
        /// The limit.
        limit: Duration,
    },
    /// The connection failed; what became of the statement is not known.
    #[error("the connection to SQL Server broke while the statement ran ({reason})")]
    Lost {
        /// What was seen.
        reason: String,
    },
    /// The server answers with more than was asked for.
    #[error("the server's answer has more than {limit} rows")]
    TooMany {
        /// The most.
        limit: usize,
    },
}
