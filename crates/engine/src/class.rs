//! Which errors of an engine go away by themselves.

use std::io::ErrorKind;

use crate::error::{BackupError, EngineError, RestoreError};
use crate::refusal::Refusal;

/// Whether asking again makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// Somebody has to change something first.
    Permanent,
    /// The same may succeed a little later.
    Retry,
}

/// Messages of SQL Server that pass: lock and latch time-outs, a deadlock's victim, another
/// backup or file operation under way, memory that is short, and connections that were cut.
const TRANSIENT: [u32; 15] = [
    596, 701, 802, 845, 1204, 1205, 1222, 3023, 8645, 8651, 8628, 10928, 10929, 40197, 40501,
];

impl Refusal {
    /// Whether the server may agree a little later.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Busy { .. } => ErrorClass::Retry,
            Self::Server { number, .. } if TRANSIENT.contains(number) => ErrorClass::Retry,
            _ => ErrorClass::Permanent,
        }
    }
}

impl EngineError {
    /// Whether the engine may do it a little later.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Refused(refusal) => refusal.class(),
            Self::Io { error, .. } => match error.kind() {
                ErrorKind::Interrupted
                | ErrorKind::TimedOut
                | ErrorKind::WouldBlock
                | ErrorKind::ResourceBusy
                | ErrorKind::ConnectionRefused
                | ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::BrokenPipe
                | ErrorKind::UnexpectedEof => ErrorClass::Retry,
                _ => ErrorClass::Permanent,
            },
            Self::Unsupported { .. } | Self::Answer { .. } | Self::Damaged { .. } => {
                ErrorClass::Permanent
            }
        }
    }
}

impl BackupError {
    /// Whether the engine may make the backup a little later. Device errors follow from
    /// something else, which decides.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Refused(refusal) => refusal.class(),
            Self::Engine(error) => error.class(),
            Self::Set(_) | Self::Device { .. } => ErrorClass::Permanent,
        }
    }
}

impl RestoreError {
    /// Whether the engine may restore the set a little later.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Refused(refusal) => refusal.class(),
            Self::Engine(error) => error.class(),
            Self::Set(_) | Self::Device { .. } | Self::Stream { .. } => ErrorClass::Permanent,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use super::*;

    fn server(number: u32) -> BackupError {
        let message = "the server's words".to_owned();
        Refusal::Server { number, message }.into()
    }

    fn io(kind: ErrorKind) -> EngineError {
        EngineError::Io {
            action: "asking",
            error: Arc::new(io::Error::from(kind)),
        }
    }

    #[test]
    fn another_backup_that_runs_ends_some_time() {
        let database = "Sales".to_owned();
        assert_eq!(Refusal::Busy { database }.class(), ErrorClass::Retry);
        assert_eq!(server(3023).class(), ErrorClass::Retry);
    }

    #[test]
    fn what_the_server_will_always_refuse_is_not_asked_again() {
        let database = "Sales".to_owned();
        let refusal = Refusal::NoSuchDatabase { database };
        assert_eq!(refusal.class(), ErrorClass::Permanent);
        assert_eq!(server(3035).class(), ErrorClass::Permanent);
    }

    #[test]
    fn a_cut_connection_may_come_back_and_a_full_disk_does_not_empty_itself() {
        assert_eq!(io(ErrorKind::ConnectionReset).class(), ErrorClass::Retry);
        assert_eq!(io(ErrorKind::StorageFull).class(), ErrorClass::Permanent);
    }
}
