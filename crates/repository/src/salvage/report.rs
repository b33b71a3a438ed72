//! What was saved and what was not.

use std::io::{Read, Seek};

use vab_chain::{PointId, UtcTime};
use vab_format::session::SessionRecord;

use super::find::Found;
use crate::facts::facts_of;
use crate::storage::StoragePath;

/// What was saved and what was not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SalvageReport {
    /// The new file, relative to the new repository; `None` when nothing was saved.
    pub file: Option<StoragePath>,
    /// What is wrong with the header of the damaged file, if something is.
    pub header: Option<String>,
    /// Whether there was a sound `.VASM`, which knows of restore points that are gone.
    pub listed: bool,
    /// For an encrypted file, how many key slots could be read: without one nobody can decrypt it.
    pub key_slots: Option<usize>,
    /// Every restore point of which a trace was found, in the order of the file.
    pub points: Vec<SalvagedPoint>,
}

/// A restore point of the damaged file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SalvagedPoint {
    /// Its identity, which it keeps.
    pub id: PointId,
    /// The job that made it.
    pub job: String,
    /// The database.
    pub database: String,
    /// `full`, `diff`, `log`; `None` when not known.
    pub kind: Option<vab_chain::BackupKind>,
    /// When it was committed, on the repository's clock.
    pub committed: UtcTime,
    /// Raw bytes of all streams.
    pub bytes: u64,
    /// Whether it was saved.
    pub outcome: Outcome,
}

/// Whether a restore point was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every byte of it.
    Saved,
    /// Something of it is damaged.
    Lost {
        /// The first thing that is wrong.
        reason: String,
    },
}

impl SalvageReport {
    pub(super) fn new<R: Read + Seek>(found: &Found<R>) -> Self {
        Self {
            file: None,
            header: found.header.clone(),
            listed: found.listed,
            key_slots: None,
            points: Vec::new(),
        }
    }

    /// How many restore points were saved.
    pub fn saved(&self) -> usize {
        let saved = self.points.iter();
        saved
            .filter(|point| point.outcome == Outcome::Saved)
            .count()
    }
}

impl SalvagedPoint {
    pub(super) fn new(record: &SessionRecord, outcome: Outcome) -> Self {
        Self {
            id: PointId(record.id),
            job: record.job.clone(),
            database: record.database.clone(),
            kind: facts_of(record).kind(),
            committed: UtcTime::from_micros(record.committed),
            bytes: record.bytes(),
            outcome,
        }
    }
}
