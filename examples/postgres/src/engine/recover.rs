//! The end of a restore: the server rolls forward through what was laid up.

use std::fs;

use vab_engine::{
    DatabaseState, EngineError, Recovery, Refusal, RestoreError, Restored, StopAt, StopOutcome,
};

use crate::cluster::{Cluster, Ended, Recover};
use crate::error::PostgresError;
use crate::facts;
use crate::incoming::Standing;
use crate::wal::Position;

/// How far the restore of a cluster is.
pub(super) fn standing(cluster: &Cluster, name: &str) -> Result<Standing, RestoreError> {
    let standing = cluster.incoming().standing();
    let standing = standing.map_err(|error| error.during("reading how far the restore is"))?;
    Ok(standing.ok_or_else(|| Refusal::NotRestoring {
        database: name.to_owned(),
        state: DatabaseState::Online,
    })?)
}

/// A cluster that waits for more log. The server rolls forward only at the end.
pub(super) fn restoring(standing: &Standing) -> Restored {
    let redo = facts::lsn(Position(standing.redo));
    let mut restored = Restored::new(DatabaseState::Restoring, StopOutcome::NotAsked, redo);
    restored.set = Some(standing.set);
    restored.fork = Some(standing.fork);
    restored
}

/// Leaves the cluster as was asked.
pub(super) fn finish(
    cluster: &Cluster,
    mut restored: Restored,
    recovery: Recovery,
    stop: Option<StopAt>,
) -> Result<Restored, RestoreError> {
    let unsupported = |what| Err(EngineError::Unsupported { what }.into());
    match (recovery, &stop) {
        (Recovery::Standby, _) => return unsupported("leave a cluster in standby after a restore"),
        (_, Some(StopAt::Mark { .. })) => return unsupported("stop at a mark of SQL Server"),
        (Recovery::NoRecovery, stop) => {
            if stop.is_some() {
                restored.stop = StopOutcome::Beyond;
            }
            return Ok(restored);
        }
        (Recovery::Recovery, _) => {}
    }
    let recovered = recover(cluster, restored, stop);
    Ok(recovered.map_err(|error| error.during("recovering the cluster"))?)
}

fn recover(
    cluster: &Cluster,
    mut restored: Restored,
    stop: Option<StopAt>,
) -> Result<Restored, PostgresError> {
    let Some(standing) = cluster.incoming().standing()? else {
        return Ok(restored);
    };
    let asked = stop.is_some();
    let ended = cluster.recover(&Recover {
        timeline: standing.timeline,
        stop,
    })?;
    if ended == Ended::TooEarly {
        restored.stop = StopOutcome::Beyond;
        return Ok(restored);
    }
    let folder = cluster.incoming().folder().to_owned();
    fs::remove_dir_all(&folder).map_err(PostgresError::io("removed", &folder))?;
    let history = cluster.history()?;
    let began = history.began().map_or_else(|| cluster.position(), Ok)?;
    restored.state = DatabaseState::Online;
    restored.stop = if asked {
        StopOutcome::Reached
    } else {
        StopOutcome::NotAsked
    };
    restored.redo_lsn = facts::lsn(began);
    restored.fork = facts::fork(cluster.system()?, &history, history.timeline());
    Ok(restored)
}
