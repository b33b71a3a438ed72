//! What a stream says about its set.

use uuid::Uuid;
use vab_chain::{BackupKind, Lsn, ServerTime};

use crate::engine::RecoveryModel;
use crate::sim::meta::{Base, ChainStart};

/// At the begin of every stripe.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct SetHead {
    pub(crate) set: Uuid,
    /// This stripe, from 0.
    pub(crate) stripe: u16,
    pub(crate) stripes: u16,
    pub(crate) kind: BackupKind,
    pub(crate) copy_only: bool,
    pub(crate) database: String,
    pub(crate) server: String,
    pub(crate) database_id: Uuid,
    pub(crate) family_id: Uuid,
    pub(crate) model: RecoveryModel,
    pub(crate) started: ServerTime,
    /// The time of the newest record before the set was begun.
    pub(crate) newest: ServerTime,
    /// The time of the last commit before the set was begun.
    pub(crate) newest_commit: Option<ServerTime>,
    /// Of a log: the first record. Of a data backup: the first record that is needed.
    pub(crate) first_lsn: Lsn,
    /// Only of a log.
    pub(crate) last_lsn: Option<Lsn>,
    pub(crate) checkpoint: Lsn,
    pub(crate) first_fork: Uuid,
    pub(crate) last_fork: Uuid,
    pub(crate) fork_point: Option<Lsn>,
    /// Only of a differential.
    pub(crate) base: Option<Base>,
    /// The checkpoint of the full before.
    pub(crate) database_backup: Option<Lsn>,
    pub(crate) bulk_logged: bool,
    /// A tail-log backup.
    pub(crate) tail: bool,
    /// Pages of the database when the backup began.
    pub(crate) pages: u32,
    pub(crate) next_tx: u64,
    /// The log chain of the database at that time.
    pub(crate) chain: Option<ChainStart>,
}

/// At the end of every stripe.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct SetTail {
    pub(crate) set: Uuid,
    /// Data frames of the whole set.
    pub(crate) frames: u64,
    pub(crate) last_lsn: Lsn,
    pub(crate) finished: ServerTime,
    /// Pages were damaged and are in the set all the same.
    pub(crate) damaged: bool,
}
