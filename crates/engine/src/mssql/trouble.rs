//! Errors of a connection in the words of an engine.

use std::fmt::Write;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use super::connection::{ConnectError, ExecuteError, RowError, ServerError};
use super::statement::{Illegal, NameError};
use crate::error::EngineError;
use crate::refusal::Refusal;

const ACTION: &str = "asking SQL Server";

fn io(kind: ErrorKind, error: impl std::error::Error + Send + Sync + 'static) -> EngineError {
    EngineError::Io {
        action: ACTION,
        error: Arc::new(io::Error::new(kind, error)),
    }
}

impl From<ConnectError> for EngineError {
    fn from(error: ConnectError) -> Self {
        let kind = match &error {
            ConnectError::Unreachable { .. } => ErrorKind::ConnectionRefused,
            ConnectError::Login { .. }
            | ConnectError::NoPassword { .. }
            | ConnectError::NoIntegratedLogin => ErrorKind::PermissionDenied,
            _ => ErrorKind::InvalidData,
        };
        io(kind, error)
    }
}

impl From<ExecuteError> for EngineError {
    fn from(error: ExecuteError) -> Self {
        let kind = match error {
            ExecuteError::Server(error) => return refusal(&error).into(),
            ExecuteError::Lost { .. } => ErrorKind::ConnectionReset,
            ExecuteError::TimedOut { .. } => ErrorKind::TimedOut,
            ExecuteError::Cancelled | ExecuteError::TooMany { .. } => ErrorKind::Other,
        };
        io(kind, error)
    }
}

impl From<RowError> for EngineError {
    fn from(error: RowError) -> Self {
        Self::Answer {
            reason: error.to_string(),
        }
    }
}

impl From<Illegal> for EngineError {
    fn from(error: Illegal) -> Self {
        io(ErrorKind::InvalidInput, error)
    }
}

impl From<NameError> for EngineError {
    fn from(error: NameError) -> Self {
        io(ErrorKind::InvalidInput, error)
    }
}

/// The number that says only that a `BACKUP` or `RESTORE` ended, after the error that ended it.
const TERMINATING: u32 = 3013;

fn refusal(error: &ServerError) -> Refusal {
    let mut message = format!("{} (state {})", error.message, error.state);
    for follow in &error.followed_by {
        if follow.number != Some(TERMINATING) {
            // Writing to a string cannot fail.
            let _ = write!(message, "; {}", follow.message);
        }
    }
    Refusal::Server {
        number: error.number,
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mssql::connection::Follow;

    #[test]
    fn a_refusal_has_number_state_and_every_reason_but_the_closing_words() {
        let mut error = ServerError::new(3201, 7, 16, "Cannot open backup device 'x'.");
        let follow = |number, message: &str| Follow {
            number: Some(number),
            message: message.to_owned(),
        };
        error.followed_by = vec![
            follow(3202, "Write failed."),
            follow(3013, "BACKUP DATABASE is terminating abnormally."),
        ];
        let refusal = refusal(&error);
        assert_eq!(refusal.number(), 3201);
        assert_eq!(
            refusal.to_string(),
            "Cannot open backup device 'x'. (state 7); Write failed. (message 3201)"
        );
    }
}
