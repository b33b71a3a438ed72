//! How databases stand, and what the guard would decide about them now.

use std::collections::BTreeMap;

use serde::Serialize;
use vab_chain::{BackupKind, PointId, ServerTime, UtcTime};
use vab_engine::{DatabaseInfo, DatabaseState, LegalKind, RecoveryModel, Replica};

use super::guard::{Decision, Guard};
use crate::listing;
use crate::point::PointInfo;

/// How a database stands. Its JSON form is stable: fields are added, never changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Surveyed {
    /// Its name.
    pub database: String,
    /// Whether it can be used.
    pub state: DatabaseState,
    /// How its log is kept.
    pub recovery_model: RecoveryModel,
    /// Nothing can be written to it.
    pub read_only: bool,
    /// Its part in an availability group.
    pub replica: Option<Replica>,
    /// Bytes of its data files; 0 when not known.
    pub data_bytes: u64,
    /// The backups that are legal for it.
    pub legal: Vec<LegalKind>,
    /// The newest backup of each kind in the repository.
    pub last: Vec<LastBackup>,
    /// What would be done about it now, for each backup that was asked about.
    pub next: Vec<Next>,
}

/// The newest backup of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LastBackup {
    /// Full, differential or log.
    pub kind: BackupKind,
    /// Outside the chain of the database.
    pub copy_only: bool,
    /// The restore point.
    pub point: PointId,
    /// When it finished, on the server's clock.
    pub finished: Option<ServerTime>,
    /// When it was committed, on the repository's clock.
    pub committed: UtcTime,
}

/// What would be done about a database now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Next {
    /// The backup that is wanted.
    pub wanted: LegalKind,
    /// The backup that would be taken; `None` for none.
    pub take: Option<LegalKind>,
    /// The decision in words.
    pub reason: String,
    /// The decision.
    #[serde(rename = "detail")]
    pub decision: Decision,
}

/// How these databases stand, when the repository has these restore points of one job, and what
/// each of these guards would decide.
pub fn survey(databases: &[DatabaseInfo], points: &[PointInfo], guards: &[Guard]) -> Vec<Surveyed> {
    let mut by_database: BTreeMap<&str, Vec<&PointInfo>> = BTreeMap::new();
    for point in points {
        let of_database = by_database.entry(&point.database).or_default();
        of_database.push(point);
    }
    let stands = |info: &DatabaseInfo| {
        let points = by_database.get(info.name.as_str());
        surveyed(info, points.map(Vec::as_slice).unwrap_or_default(), guards)
    };
    databases.iter().map(stands).collect()
}

fn surveyed(info: &DatabaseInfo, points: &[&PointInfo], guards: &[Guard]) -> Surveyed {
    let chain = listing::chain_of(points.iter().copied());
    let next = |guard: &Guard| {
        let decision = guard.decide(info, &chain);
        Next {
            wanted: guard.wanted,
            take: decision.take(),
            reason: decision.to_string(),
            decision,
        }
    };
    Surveyed {
        database: info.name.clone(),
        state: info.state,
        recovery_model: info.recovery_model,
        read_only: info.read_only,
        replica: info.replica,
        data_bytes: info.data_bytes,
        legal: info.legal_kinds(),
        last: last(points),
        next: guards.iter().map(next).collect(),
    }
}

fn last(points: &[&PointInfo]) -> Vec<LastBackup> {
    let mut newest: BTreeMap<(BackupKind, bool), &PointInfo> = BTreeMap::new();
    for point in points {
        let Some(kind) = point.kind else { continue };
        let of_kind = newest.entry((kind, point.copy_only)).or_insert(point);
        if point.committed > of_kind.committed {
            *of_kind = point;
        }
    }
    let last = |((kind, copy_only), point): ((BackupKind, bool), &PointInfo)| LastBackup {
        kind,
        copy_only,
        point: point.id,
        finished: point.set.as_ref().map(|set| set.finished),
        committed: point.committed,
    };
    newest.into_iter().map(last).collect()
}
