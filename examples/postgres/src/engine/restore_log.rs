//! A log is unpacked, checked against where the restore stands, and laid beside the others.

use std::fs;
use std::io;
use std::process::Stdio;

use vab_chain::BackupKind;
use vab_engine::{EngineError, Refusal, RestoreError, RestoreRequest, Restored, StopAt};
use vab_vdi::{Direction, EngineTransport};

use super::devices::OneDevice;
use super::{Postgres, recover};
use crate::archive::{Archive, Run};
use crate::cluster::Cluster;
use crate::error::PostgresError;
use crate::facts;
use crate::incoming::Standing;
use crate::programs::Running;
use crate::wal::Position;

pub(super) fn restore(
    engine: &Postgres,
    request: &RestoreRequest,
    transport: &dyn EngineTransport,
) -> Result<(Cluster, Restored), RestoreError> {
    let name = &request.database;
    let cluster = engine
        .cluster(name)
        .map_err(|_| Refusal::NothingToApplyTo {
            database: name.clone(),
        })?;
    let standing = recover::standing(&cluster, name)?;
    let run = receive(&cluster, request, transport)?;
    let standing = go_on(&standing, &run, request)?;
    take_in(&cluster, &run, &standing).map_err(|error| error.during("laying up WAL"))?;
    Ok((cluster, recover::restoring(&standing)))
}

fn receive(
    cluster: &Cluster,
    request: &RestoreRequest,
    transport: &dyn EngineTransport,
) -> Result<Run, RestoreError> {
    let step = cluster.incoming().step();
    let unpacking = |error: PostgresError| error.during("unpacking WAL");
    let start = || {
        // What an earlier step left that did not end well.
        let _ = fs::remove_dir_all(&step);
        let made = cluster.programs().make_folder(&step);
        made.map_err(PostgresError::io("made", &step))?;
        let mut command = cluster.programs().tool("tar");
        command.arg("-C").arg(&step).args(["-x", "-f", "-"]);
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        Ok(Running::start(&mut command)?)
    };
    let one = OneDevice::open(
        &request.devices,
        Direction::Restore,
        request.geometry,
        request.timeout,
        transport,
    )?;
    let mut tar = start().map_err(unpacking)?;
    let Some(stdin) = tar.stdin() else {
        let what = "unpack without an input";
        return Err(EngineError::Unsupported { what }.into());
    };
    let mut run = None;
    one.receive(stdin, || {
        tar.finish().map_err(io::Error::other)?;
        run = Some(only_run(&Archive::new(&step)).map_err(io::Error::other)?);
        Ok(())
    })?;
    let nothing = || PostgresError::NotARun {
        reason: "it was not read".to_owned(),
    };
    Ok(run.ok_or_else(nothing).map_err(unpacking)?)
}

fn only_run(step: &Archive) -> Result<Run, PostgresError> {
    let mut runs = step.runs()?;
    match (runs.pop(), runs.len()) {
        (Some(run), 0) => Ok(run),
        (_, others) => Err(PostgresError::NotARun {
            reason: format!("it has {} runs", others + 1),
        }),
    }
}

/// Where the restore stands after this run; what does not go on from where it stood is refused.
fn go_on(
    standing: &Standing,
    run: &Run,
    request: &RestoreRequest,
) -> Result<Standing, RestoreError> {
    let (start, end, redo) = (run.start(), run.end(), Position(standing.redo));
    let fork = |timeline| facts::fork(run.system, &run.history, timeline);
    let name = &request.database;
    let last = fork(run.timeline()).ok_or_else(|| no_history(run))?;
    let set = facts::backup_set(BackupKind::Log, last, start, end);
    let lsn = facts::lsn;
    if start > redo {
        return Err(Refusal::LogGap {
            database: name.clone(),
            set,
            first: lsn(start),
            redo: lsn(redo),
        }
        .into());
    }
    if end <= redo {
        return Err(Refusal::LogTooEarly {
            database: name.clone(),
            set,
            last: lsn(end),
            redo: lsn(redo),
        }
        .into());
    }
    // A restore stands on its fork up to where the run's own history leaves it.
    let shared = fork(standing.at) == Some(standing.fork)
        && run
            .history
            .end_of(standing.at)
            .is_none_or(|left| redo <= left);
    if !shared {
        return Err(Refusal::OtherFork {
            database: name.clone(),
            set,
            redo: lsn(redo),
            expected: fork(run.history.owner(redo)),
            found: standing.fork,
        }
        .into());
    }
    let reached = match &request.stop_at {
        Some(StopAt::Lsn { lsn, .. }) => facts::position(*lsn).min(end),
        _ => end,
    };
    // The last byte that is there says which fork it is.
    let at = run.history.owner(Position(reached.0.saturating_sub(1)));
    Ok(Standing {
        system: run.system,
        timeline: run.timeline(),
        fork: fork(at).ok_or_else(|| no_history(run))?,
        at,
        redo: reached.0,
        set,
    })
}

fn no_history(run: &Run) -> EngineError {
    PostgresError::NotARun {
        reason: format!("timeline {} has no history in it", run.timeline()),
    }
    .during("reading WAL")
}

fn take_in(cluster: &Cluster, run: &Run, standing: &Standing) -> Result<(), PostgresError> {
    let incoming = cluster.incoming();
    for file in run.files() {
        let (from, to) = (incoming.step().join(&file), incoming.wal().join(&file));
        fs::rename(&from, &to).map_err(PostgresError::io("moved", &from))?;
    }
    incoming.stand(standing)
}
