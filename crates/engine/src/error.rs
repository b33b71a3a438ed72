//! Why an engine did not do what it was asked.

use std::io;
use std::sync::Arc;

use vab_vdi::DeviceName;

use crate::refusal::Refusal;

/// Why an engine could not be asked.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The engine says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The engine cannot do this at all.
    #[error("this engine cannot {what}")]
    Unsupported {
        /// What was asked.
        what: &'static str,
    },
    /// The system refused.
    #[error("{action} failed")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The system's error.
        #[source]
        error: Arc<io::Error>,
    },
    /// What the engine says about itself or about what it did cannot be used.
    #[error("what the server says cannot be used: {reason}")]
    Answer {
        /// What is wrong with it.
        reason: String,
    },
    /// What is stored cannot be right.
    #[error("{what} is damaged: {reason}; restore the database from its backups")]
    Damaged {
        /// What was read.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Why a backup was not made. Nothing a later backup depends on has changed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The engine says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The device set did not open, or could not be closed normally.
    #[error("the device set failed")]
    Set(#[source] vab_vdi::EngineError),
    /// A device failed.
    #[error("device {device} failed")]
    Device {
        /// The device.
        device: DeviceName,
        /// How.
        #[source]
        error: vab_vdi::EngineError,
    },
    /// The engine itself failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Why a set was not restored.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The engine says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The device set did not open, or could not be closed normally.
    #[error("the device set failed")]
    Set(#[source] vab_vdi::EngineError),
    /// A device failed.
    #[error("device {device} failed")]
    Device {
        /// The device.
        device: DeviceName,
        /// How.
        #[source]
        error: vab_vdi::EngineError,
    },
    /// What came from a device is not a whole and sound backup stream.
    #[error("stripe {stripe} (counted from 1) is not a sound backup stream: {reason}")]
    Stream {
        /// The stripe as it was given, from 1.
        stripe: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The engine itself failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl BackupError {
    /// The engine's refusal, if it was one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) | Self::Engine(EngineError::Refused(refusal)) => Some(refusal),
            _ => None,
        }
    }
}

impl RestoreError {
    /// The engine's refusal, if it was one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) | Self::Engine(EngineError::Refused(refusal)) => Some(refusal),
            _ => None,
        }
    }
}
