//! Where rolling forward stops.

use vab_chain::{BackupKind, Lsn};

use crate::request::{StopAt, StopEdge};
use crate::sim::log::Record;
use crate::sim::stream::SetHead;

/// Where rolling forward stops because of this record: the first LSN that is not applied.
pub(super) fn stop_at(stop: &StopAt, lsn: Lsn, record: &Record<'_>) -> Option<Lsn> {
    match stop {
        StopAt::Time(stop) => record.time().filter(|time| time >= stop).map(|_| lsn),
        StopAt::Lsn {
            lsn: stop,
            edge: StopEdge::Before,
        } => (lsn >= *stop).then_some(lsn),
        StopAt::Lsn {
            lsn: stop,
            edge: StopEdge::At,
        } => (lsn > *stop).then_some(lsn),
        StopAt::Mark { name, after, edge } => match record {
            Record::Commit {
                time,
                mark: Some(mark),
                ..
            } if mark == name && after.is_none_or(|after| *time >= after) => Some(match edge {
                StopEdge::Before => lsn,
                StopEdge::At => Lsn::new(lsn.vlf(), lsn.block(), lsn.slot().saturating_add(1)),
            }),
            _ => None,
        },
    }
}

/// Whether a log that was applied to its end holds everything up to the stop.
pub(super) fn within(stop: &StopAt, head: &SetHead, redo: Lsn) -> bool {
    match stop {
        StopAt::Time(stop) => head.kind == BackupKind::Log && head.started >= *stop,
        StopAt::Lsn {
            lsn,
            edge: StopEdge::Before,
        } => redo >= *lsn,
        StopAt::Lsn {
            lsn,
            edge: StopEdge::At,
        } => redo > *lsn,
        StopAt::Mark { .. } => false,
    }
}
