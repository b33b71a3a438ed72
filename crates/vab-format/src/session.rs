//! What a commit says about the session it ends, and what `.VASM` repeats.

mod codec;

use uuid::Uuid;

use crate::block::Codecs;
use crate::stream::StreamEnd;

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum SetKind {
    /// The whole database.
    Full,
    /// What changed since a full.
    Differential,
    /// The log since the log backup before.
    Log,
}

/// A log sequence number as its three parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LogPosition {
    /// The virtual log file.
    pub vlf: u32,
    /// The log block, in units of 512 bytes.
    pub block: u32,
    /// The log record in the block.
    pub slot: u16,
}

/// The full that a differential is a difference to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Base {
    /// The identity of the base's backup set, when known.
    pub id: Option<Uuid>,
    /// The checkpoint LSN of the base.
    pub lsn: LogPosition,
}

/// Marks that the engine put on a backup set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent flags of one header field"
)]
pub struct SetMarks {
    /// The first log backup of a log chain.
    pub begins_log_chain: bool,
    /// Holds bulk-logged changes.
    pub bulk_logged: bool,
    /// A tail-log backup that left the database restoring.
    pub tail: bool,
    /// The database was damaged.
    pub damaged: bool,
    /// The metadata of the database was damaged.
    pub incomplete_metadata: bool,
    /// Pages carried checksums that were checked.
    pub checksums: bool,
}

/// What the engine recorded about a backup set.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SetFacts {
    /// The identity that the engine gave to the set.
    pub set_id: Uuid,
    /// Full, differential or log.
    pub kind: SetKind,
    /// The first log record in the set.
    pub first_lsn: LogPosition,
    /// The log record after the last one in the set.
    pub last_lsn: LogPosition,
    /// Where redo starts.
    pub checkpoint_lsn: LogPosition,
    /// The checkpoint LSN of the full before; zero when there was none.
    pub database_backup_lsn: LogPosition,
    /// Only of a differential.
    pub differential_base: Option<Base>,
    /// The recovery fork of the first log record.
    pub first_fork: Option<Uuid>,
    /// The recovery fork of the last log record.
    pub last_fork: Option<Uuid>,
    /// Where the fork was taken, when the two differ.
    pub fork_point: Option<LogPosition>,
    /// The identity of the database.
    pub database_id: Option<Uuid>,
    /// The identity of the database that survives a restore.
    pub family_id: Option<Uuid>,
    /// Marks on the set.
    pub marks: SetMarks,
    /// When the backup started: microseconds since 1970 on the database server's local clock.
    pub started: i64,
    /// When the backup finished, on the same clock.
    pub finished: i64,
    /// Offset of that clock from UTC in minutes, when known.
    pub utc_offset: Option<i16>,
    /// In how many stripes the engine wrote the set.
    pub stripes: u16,
}

/// What is known about the backup that a session holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly always the large one, and never many at once"
)]
pub enum Facts {
    /// Everything the engine recorded.
    Known(SetFacts),
    /// Nothing but perhaps the kind: a container that could not be looked into.
    Opaque {
        /// Full, differential or log, when somebody said so.
        kind: Option<SetKind>,
    },
}

/// A committed session: one restore point.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SessionRecord {
    /// The identity of the session and of its restore point.
    pub id: Uuid,
    /// The name of the job.
    pub job: String,
    /// The name of the database.
    pub database: String,
    /// The name of the database server; empty when not known.
    pub server: String,
    /// When the session began: microseconds since 1970, UTC, the repository's clock.
    pub started: i64,
    /// When the session was committed, on the same clock.
    pub committed: i64,
    /// Whether the backup stands outside the chain of its database.
    pub copy_only: bool,
    /// Whether the session's blocks are encrypted.
    pub encrypted: bool,
    /// How blocks of the session are compressed.
    pub codecs: Codecs,
    /// What is known about the backup.
    pub facts: Facts,
    /// The totals of the streams, one for each, in the order of their numbers.
    pub streams: Vec<StreamEnd>,
    /// The names of the files that the streams were read from, one for each stream; empty when
    /// they came from an engine.
    pub names: Vec<String>,
}

impl SessionRecord {
    /// A session of which nothing is known but its streams; all times 0.
    pub fn opaque(
        id: Uuid,
        job: impl Into<String>,
        database: impl Into<String>,
        streams: Vec<StreamEnd>,
    ) -> Self {
        Self {
            id,
            job: job.into(),
            database: database.into(),
            server: String::new(),
            started: 0,
            committed: 0,
            copy_only: false,
            encrypted: false,
            codecs: Codecs::default(),
            facts: Facts::Opaque { kind: None },
            streams,
            names: Vec::new(),
        }
    }

    /// Whether the engine's facts about the backup are known.
    pub const fn facts_known(&self) -> bool {
        matches!(self.facts, Facts::Known(_))
    }

    /// Full, differential or log; `None` when not known.
    pub const fn kind(&self) -> Option<SetKind> {
        match &self.facts {
            Facts::Known(facts) => Some(facts.kind),
            Facts::Opaque { kind } => *kind,
        }
    }

    /// Raw bytes of all streams.
    pub fn bytes(&self) -> u64 {
        self.streams
            .iter()
            .fold(0, |sum, end| sum.saturating_add(end.bytes))
    }

    /// Stored bytes of all streams.
    pub fn stored_bytes(&self) -> u64 {
        self.streams
            .iter()
            .fold(0, |sum, end| sum.saturating_add(end.stored_bytes))
    }
}
