//! Restore points in the order and with the state that people and programs want to see.

use std::collections::BTreeMap;

use serde::Serialize;
use vab_chain::{
    BackupKind, BackupSetId, Chain, ForkId, Lsn, PointId, PointState, ServerTime, Target, Unusable,
    UtcTime,
};

use crate::PointInfo;

/// One restore point of a listing. Its JSON form is stable: fields are added, never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Row {
    /// The job that made it.
    pub job: String,
    /// The database, as its server calls it.
    pub database: String,
    /// Its identity, for `export` and `restore`.
    pub id: PointId,
    /// `full`, `diff`, `log`; `unknown` when the backup could not be looked into.
    pub kind: String,
    /// Whether the backup stands outside the chain of its database.
    pub copy_only: bool,
    /// The first log record in the set.
    pub first_lsn: Option<Lsn>,
    /// The log record after the last one in the set.
    pub last_lsn: Option<Lsn>,
    /// Where redo starts.
    pub checkpoint_lsn: Option<Lsn>,
    /// The checkpoint LSN of the full before; 0 when there was none.
    pub database_backup_lsn: Option<Lsn>,
    /// The recovery fork of the end of the set.
    pub recovery_fork: Option<ForkId>,
    /// The identity that the server gave to the set.
    pub backup_set_id: Option<BackupSetId>,
    /// The server that was backed up; empty when not known.
    pub server: String,
    /// When the backup started, on the server's clock.
    pub started: Option<ServerTime>,
    /// When the backup finished, on the server's clock.
    pub finished: Option<ServerTime>,
    /// When it was committed, on the repository's clock.
    pub committed: UtcTime,
    /// Number of streams.
    pub streams: usize,
    /// Bytes as the engine produced them.
    pub bytes: u64,
    /// Bytes as stored.
    pub stored_bytes: u64,
    /// Whether its blocks are encrypted.
    pub encrypted: bool,
    /// How its blocks are compressed: `raw`, `lz4`, `zstd` or `lz4+zstd`.
    pub codec: String,
    /// The `.VAB` it lies in, relative to the repository.
    pub file: String,
    /// The restore point it needs first: of a differential its full, of a log the full or
    /// differential that a restore to its end begins with or goes through.
    pub base: Option<PointId>,
    /// Whether it can be restored: `restorable`, or a short name of what is in the way, such as
    /// `base missing` or `log gap`.
    pub state: String,
    /// What is in the way, as a sentence; `None` when it can be restored.
    pub reason: Option<String>,
}

/// Lists points by job and database, each database's in the order of its log.
pub fn rows(points: &[PointInfo]) -> Vec<Row> {
    let mut databases: BTreeMap<(&str, &str), Vec<&PointInfo>> = BTreeMap::new();
    for point in points {
        databases
            .entry((&point.job, &point.database))
            .or_default()
            .push(point);
    }
    databases.into_values().flat_map(rows_of_database).collect()
}

/// The chain of one database of one job.
pub fn chain_of<'a>(points: impl IntoIterator<Item = &'a PointInfo>) -> Chain {
    chain_without(points, &[])
}

/// The chain of one database of one job, with these restore points left out.
pub(crate) fn chain_without<'a>(
    points: impl IntoIterator<Item = &'a PointInfo>,
    without: &[PointId],
) -> Chain {
    let points = points.into_iter().filter_map(PointInfo::restore_point);
    let mut builder = Chain::builder().points(points);
    for point in without {
        builder = builder.unusable(*point, Unusable::LeftOut);
    }
    builder.build()
}

fn rows_of_database(mut points: Vec<&PointInfo>) -> Vec<Row> {
    points.sort_by_key(|point| {
        let set = point.set.as_ref();
        (
            set.map(|set| (set.last_lsn, set.finished, set.kind)),
            point.committed,
            point.id,
        )
    });
    let chain = chain_of(points.iter().copied());
    points.into_iter().map(|point| row(point, &chain)).collect()
}

fn row(point: &PointInfo, chain: &Chain) -> Row {
    let set = point.set.as_ref();
    let (state, reason) = state_of(chain.state(point.id).as_ref());
    Row {
        job: point.job.clone(),
        database: point.database.clone(),
        id: point.id,
        kind: point
            .kind
            .map_or_else(|| "unknown".to_owned(), |kind| kind.to_string()),
        copy_only: point.copy_only,
        first_lsn: set.map(|set| set.first_lsn),
        last_lsn: set.map(|set| set.last_lsn),
        checkpoint_lsn: set.map(|set| set.checkpoint_lsn),
        database_backup_lsn: set.map(|set| set.database_backup_lsn),
        recovery_fork: set.and_then(|set| set.last_fork),
        backup_set_id: set.map(|set| set.id),
        server: set.map(|set| set.server.clone()).unwrap_or_default(),
        started: set.map(|set| set.started),
        finished: set.map(|set| set.finished),
        committed: point.committed,
        streams: point.streams,
        bytes: point.bytes,
        stored_bytes: point.stored_bytes,
        encrypted: point.encrypted,
        codec: point.codec.clone(),
        file: point.file.clone(),
        base: base(point, chain),
        state,
        reason,
    }
}

/// The name of a state that a restore point has in its chain, and what is in the way; `None` when
/// its facts are not known.
pub(crate) fn state_of(state: Option<&PointState>) -> (String, Option<String>) {
    let reason = match state {
        Some(state) if state.is_restorable() => None,
        Some(state) => Some(state.to_string()),
        None => Some(
            "LSNs unknown: a compressed native backup can be exported, but not planned with"
                .to_owned(),
        ),
    };
    let name = state.map_or("LSNs unknown", PointState::label);
    (name.to_owned(), reason)
}

/// A differential names its base; for a log, the plan to its end does.
fn base(point: &PointInfo, chain: &Chain) -> Option<PointId> {
    if point.kind != Some(BackupKind::Log) {
        return chain.base_of(point.id);
    }
    let plan = chain.plan(&Target::Point(point.id)).ok()?;
    plan.steps
        .iter()
        .rfind(|step| step.kind != BackupKind::Log)
        .map(|step| step.point)
}
