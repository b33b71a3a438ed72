//! Restore points as the managers tell each other of them.

use serde::{Deserialize, Serialize};
use vab_chain::{BackupKind, BackupSet, PointId, RestorePoint, UtcTime};
use vab_repository::StoredPoint;

/// A restore point in a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PointInfo {
    /// Its identity.
    pub id: PointId,
    /// The job that made it.
    pub job: String,
    /// The database, as its server calls it.
    pub database: String,
    /// `None` when the stream could not be read well enough to know.
    pub kind: Option<BackupKind>,
    /// Whether the backup stands outside the chain of its database.
    pub copy_only: bool,
    /// What the engine said about the backup; `None` when that is not known.
    pub set: Option<BackupSet>,
    /// Number of streams, each of which was one virtual device.
    pub streams: usize,
    /// Bytes of all streams, as the engine produced them.
    pub bytes: u64,
    /// Bytes of all blocks, as they are stored.
    pub stored_bytes: u64,
    /// Whether its blocks are encrypted: a key is needed to read it, not to list or verify it.
    #[serde(default)]
    pub encrypted: bool,
    /// How its blocks are compressed: `raw`, `lz4`, `zstd` or `lz4+zstd`.
    #[serde(default = "raw")]
    pub codec: String,
    /// The `.VAB` it lies in, relative to the repository, with `/` between the parts.
    pub file: String,
    /// When it was committed, on the repository's clock.
    pub committed: UtcTime,
    /// The names of the files that the streams were read from; empty when they came from an
    /// engine.
    pub names: Vec<String>,
}

fn raw() -> String {
    "raw".to_owned()
}

impl PointInfo {
    /// What plans are made with; `None` when the facts are not known.
    pub fn restore_point(&self) -> Option<RestorePoint> {
        let set = self.set.clone()?;
        Some(RestorePoint { id: self.id, set })
    }
}

impl From<&StoredPoint> for PointInfo {
    fn from(point: &StoredPoint) -> Self {
        Self {
            id: point.id,
            job: point.job.clone(),
            database: point.database.clone(),
            kind: point.kind(),
            copy_only: point.copy_only,
            set: point.facts.known().cloned(),
            streams: point.streams.len(),
            bytes: point.bytes,
            stored_bytes: point.stored_bytes,
            encrypted: point.encrypted,
            codec: point.codecs.to_string(),
            file: point.file.to_string(),
            committed: point.committed,
            names: point.names.clone(),
        }
    }
}
