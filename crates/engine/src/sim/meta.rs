//! What is kept about a database beside its pages and its log.

use uuid::Uuid;
use vab_chain::{BackupKind, Lsn, ServerTime};

use crate::engine::{DatabaseState, RecoveryModel, Replica};
use crate::sim::extents::ExtentMap;

/// The name of the file it is kept in.
pub(crate) const FILE: &str = "database.json";
/// Written to the file; another number is another layout.
pub(crate) const FORMAT: u32 = 1;

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct Meta {
    pub(crate) format: u32,
    pub(crate) name: String,
    pub(crate) database_id: Uuid,
    pub(crate) family_id: Uuid,
    pub(crate) model: RecoveryModel,
    pub(crate) state: DatabaseState,
    /// The recovery fork.
    pub(crate) fork: Uuid,
    /// Where this fork left the one before; `None` on the first fork of all.
    pub(crate) fork_point: Option<Lsn>,
    /// The last checkpoint: all pages are on disk up to here.
    pub(crate) checkpoint: Lsn,
    /// Where a scan has to begin that sees every open transaction.
    pub(crate) scan_from: Lsn,
    /// The full backup that a differential is based on.
    pub(crate) base: Option<Base>,
    /// Extents that changed since then.
    pub(crate) changed: ExtentMap,
    /// Extents changed by bulk work since the last log backup, or that the first log of the next
    /// chain can reach back to.
    pub(crate) bulk: ExtentMap,
    /// Where the next log backup begins; `None` while no backup has started a log chain.
    pub(crate) chain: Option<ChainStart>,
    pub(crate) next_tx: u64,
    /// The greatest time that was logged.
    pub(crate) newest: ServerTime,
    /// The time of the last commit.
    pub(crate) newest_commit: Option<ServerTime>,
    /// While it is restoring or in standby.
    pub(crate) restore: Option<RestoreState>,
    /// Its part in an availability group.
    #[serde(default)]
    pub(crate) replica: Option<Replica>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Base {
    pub(crate) set: Uuid,
    /// Its checkpoint.
    pub(crate) lsn: Lsn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct ChainStart {
    pub(crate) lsn: Lsn,
    /// The fork at that LSN.
    pub(crate) fork: Uuid,
    /// No log backup was taken since the chain began.
    pub(crate) begins: bool,
}

/// Where a sequence of restores stands. The end of what is applied is the end of the log.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct RestoreState {
    /// The end of what is applied.
    pub(crate) redo: Lsn,
    /// The pages are consistent only when this is applied.
    pub(crate) needed: Lsn,
    /// A differential was applied.
    pub(crate) differential: bool,
    /// A log was applied.
    pub(crate) logs: bool,
    /// Where the log chain goes on if it is recovered now.
    pub(crate) chain: Option<ChainStart>,
    /// The finish of the last full or differential.
    pub(crate) data_finished: Option<ServerTime>,
    /// The time of the last commit that was applied.
    pub(crate) reached: Option<ServerTime>,
    /// A set whose restore did not end.
    pub(crate) interrupted: Option<Interrupted>,
    /// Comes from backups, not from a tail-log backup of itself.
    pub(crate) copied: bool,
}

/// A set whose restore did not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Interrupted {
    pub(crate) set: Uuid,
    pub(crate) kind: BackupKind,
}
