//! What the two managers say to each other. The mover carries these as opaque bytes.
//!
//! JSON, because the messages are few and small, and a person can read a captured one. Unknown
//! fields are ignored, so that an older manager understands a newer one where it can.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use vab_chain::{BackupKind, BackupSetId, PointId};

use crate::PointInfo;

/// Asks the backup manager to take a backup.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BeginBackup {
    pub(crate) job: String,
    pub(crate) database: String,
    /// `None` when the stream cannot be read well enough to know.
    pub(crate) kind: Option<BackupKind>,
    pub(crate) copy_only: bool,
}

/// Asks the backup manager for the streams of a restore point.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OpenRestore {
    pub(crate) point: PointId,
}

/// A question that moves no blocks.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Query {
    /// Restore points in the order of their ids, one page of them.
    Points {
        job: Option<String>,
        database: Option<String>,
        after: Option<PointId>,
    },
    /// How many streams of backups are taken at a time.
    Slots,
    /// The restore point of a job that holds this backup set.
    Holds {
        job: String,
        backup_set: BackupSetId,
    },
}

/// The answer to [`Query::Slots`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SlotsAnswer {
    /// `None`: no limit.
    pub(crate) total: Option<u16>,
    pub(crate) free: Option<u16>,
}

/// The answer to [`Query::Points`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PointsPage {
    pub(crate) points: Vec<PointInfo>,
    /// Whether there are points after the last one of this page.
    pub(crate) more: bool,
}

/// The answer to [`Query::Holds`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Holds {
    pub(crate) point: Option<PointId>,
}

/// A message that is not one of ours.
#[derive(Debug, thiserror::Error)]
#[error("the other manager sent what is not a {expected}: {source}; are both of the same version?")]
pub struct MessageError {
    expected: &'static str,
    source: serde_json::Error,
}

pub(crate) fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    // Plain data with string keys: writing it to memory cannot fail.
    serde_json::to_vec(message).unwrap_or_default()
}

pub(crate) fn decode<T: DeserializeOwned>(
    bytes: &[u8],
    expected: &'static str,
) -> Result<T, MessageError> {
    serde_json::from_slice(bytes).map_err(|source| MessageError { expected, source })
}
