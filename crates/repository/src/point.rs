//! Restore points as a repository lists them.

use vab_chain::{BackupKind, PointId, RestorePoint, UtcTime};
use vab_format::block::Codecs;
use vab_format::session::SessionRecord;
use vab_format::stream::StreamEnd;

use crate::facts::{Facts, facts_of};
use crate::storage::StoragePath;

/// A restore point: a session that was committed, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPoint {
    /// Its identity.
    pub id: PointId,
    /// The job that made it.
    pub job: String,
    /// The database, as its server calls it.
    pub database: String,
    /// What is known about the backup.
    pub facts: Facts,
    /// Whether the backup stands outside the chain of its database.
    pub copy_only: bool,
    /// Whether its blocks are encrypted.
    pub encrypted: bool,
    /// How its blocks are compressed.
    pub codecs: Codecs,
    /// The totals of its streams, in the order of their numbers.
    pub streams: Vec<StreamEnd>,
    /// Raw bytes of all streams, as the engine produced them.
    pub bytes: u64,
    /// Bytes of all payloads as stored.
    pub stored_bytes: u64,
    /// The `.VAB` it lies in, relative to the repository.
    pub file: StoragePath,
    /// When its session began, on the repository's clock.
    pub started: UtcTime,
    /// When it was committed, on the repository's clock.
    pub committed: UtcTime,
    /// The names of the files that the streams were read from, one for each stream; empty when
    /// they came from an engine.
    pub names: Vec<String>,
}

impl StoredPoint {
    pub(crate) fn new(record: &SessionRecord, file: &StoragePath) -> Self {
        Self {
            id: PointId(record.id),
            job: record.job.clone(),
            database: record.database.clone(),
            facts: facts_of(record),
            copy_only: record.copy_only,
            encrypted: record.encrypted,
            codecs: record.codecs,
            streams: record.streams.clone(),
            bytes: record.bytes(),
            stored_bytes: record.stored_bytes(),
            file: file.clone(),
            started: UtcTime::from_micros(record.started),
            committed: UtcTime::from_micros(record.committed),
            names: record.names.clone(),
        }
    }

    /// Full, differential or log; `None` when not known.
    pub fn kind(&self) -> Option<BackupKind> {
        self.facts.kind()
    }

    /// What plans are made with; `None` when the facts are not known.
    pub fn restore_point(&self) -> Option<RestorePoint> {
        let set = self.facts.known()?.clone();
        Some(RestorePoint { id: self.id, set })
    }
}
