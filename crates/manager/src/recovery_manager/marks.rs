//! Which restore point holds which marked transaction.

use std::sync::Arc;

use tokio::task::spawn_blocking;
use vab_chain::{BackupKind, Mark};
use vab_engine::Engine;

use super::restore::RestoreError;
use crate::point::PointInfo;

/// The marked transactions of a database that the engine remembers.
pub(super) async fn of(
    engine: &Arc<dyn Engine>,
    database: &str,
) -> Result<Vec<Mark>, RestoreError> {
    let (engine, database) = (Arc::clone(engine), database.to_owned());
    let asked = spawn_blocking(move || engine.marks(&database)).await;
    asked
        .map_err(|_| RestoreError::Died)?
        .map_err(RestoreError::Engine)
}

/// Notes each mark at the logs that hold its record. A mark that was set after a log was backed up
/// is not in that log, whatever its LSN: it is of another recovery fork.
pub(super) fn put(marks: &[Mark], points: &mut [PointInfo]) {
    for set in points.iter_mut().filter_map(|point| point.set.as_mut()) {
        if set.kind != BackupKind::Log {
            continue;
        }
        let range = set.first_lsn..set.last_lsn;
        let finished = set.finished;
        let here = |mark: &&Mark| range.contains(&mark.lsn) && mark.time <= finished;
        for mark in marks.iter().filter(here) {
            if !set.marks.contains(mark) {
                set.marks.push(mark.clone());
            }
        }
    }
}
