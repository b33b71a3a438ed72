//! A full is unpacked and checked; only then it takes the place of what was there.

use std::fs;
use std::io;
use std::process::Stdio;

use vab_chain::BackupKind;
use vab_engine::{EngineError, RestoreError, RestoreRequest, Restored};
use vab_vdi::{Direction, EngineTransport};

use super::devices::OneDevice;
use super::{Postgres, exists, recover};
use crate::archive::Archive;
use crate::base::WalRange;
use crate::cluster::Cluster;
use crate::error::PostgresError;
use crate::facts;
use crate::incoming::Standing;
use crate::programs::{Running, run};
use crate::wal::History;

pub(super) fn restore(
    engine: &Postgres,
    request: &RestoreRequest,
    transport: &dyn EngineTransport,
) -> Result<(Cluster, Restored), RestoreError> {
    let name = &request.database;
    let cluster = engine.place(name)?;
    if cluster.folder().exists() && !request.replace {
        return Err(exists(name).into());
    }
    let new = engine.at(&format!(".new-{name}"))?;
    let clear = |cluster: &Cluster| match fs::remove_dir_all(cluster.folder()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(PostgresError::io("removed", cluster.folder())(error))
        }
        _ => Ok(()),
    };
    let prepare = || {
        clear(&new)?;
        new.lay_out()
    };
    prepare().map_err(|error| error.during("making room for the cluster"))?;
    let received = receive(&new, request, transport);
    let standing = match received {
        Ok(standing) => standing,
        Err(error) => {
            // What is left is removed by the next restore of that name.
            let _ = clear(&new);
            return Err(error);
        }
    };
    let replace = || {
        new.incoming().stand(&standing)?;
        if cluster.folder().exists() {
            cluster.stop()?;
            clear(&cluster)?;
        }
        let renamed = fs::rename(new.folder(), cluster.folder());
        renamed.map_err(PostgresError::io("put in its place", cluster.folder()))
    };
    replace().map_err(|error: PostgresError| error.during("replacing the cluster"))?;
    Ok((cluster, recover::restoring(&standing)))
}

fn receive(
    new: &Cluster,
    request: &RestoreRequest,
    transport: &dyn EngineTransport,
) -> Result<Standing, RestoreError> {
    let one = OneDevice::open(
        &request.devices,
        Direction::Restore,
        request.geometry,
        request.timeout,
        transport,
    )?;
    let start = || {
        let mut command = new.programs().tool("tar");
        command.arg("-C").arg(new.data()).args(["-x", "-f", "-"]);
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        Ok(Running::start(&mut command)?)
    };
    let unpacking = |error: PostgresError| error.during("unpacking the base backup");
    let mut tar = start().map_err(unpacking)?;
    let Some(stdin) = tar.stdin() else {
        let what = "unpack without an input";
        return Err(EngineError::Unsupported { what }.into());
    };
    let mut standing = None;
    one.receive(stdin, || {
        tar.finish().map_err(io::Error::other)?;
        standing = Some(check(new).map_err(io::Error::other)?);
        Ok(())
    })?;
    let nothing = || PostgresError::Manifest {
        reason: "it was not read".to_owned(),
    };
    Ok(standing.ok_or_else(nothing).map_err(unpacking)?)
}

/// Verifies every file against the manifest, and reads where redo goes on after it.
fn check(new: &Cluster) -> Result<Standing, PostgresError> {
    let mut verify = new.programs().command("pg_verifybackup");
    run(verify.args(["--no-parse-wal", "--quiet"]).arg(new.data()))?;
    let path = new.data().join("backup_manifest");
    let manifest = fs::read(&path).map_err(PostgresError::io("read", &path))?;
    let range = WalRange::of_manifest(&manifest)?;
    let wal = Archive::new(new.data().join("pg_wal"));
    let runs = wal.runs()?;
    let holds = |run: &&crate::archive::Run| {
        run.timeline() == range.timeline && run.start() <= range.start && range.end <= run.end()
    };
    let Some(run) = runs.iter().find(holds) else {
        let reason = format!("the log from {} to {} is not in it", range.start, range.end);
        return Err(PostgresError::Manifest { reason });
    };
    let history: &History = &run.history;
    let fork = facts::fork(run.system, history, range.timeline).ok_or_else(|| {
        PostgresError::NoHistory {
            timeline: range.timeline,
            folder: wal.folder().to_owned(),
        }
    })?;
    Ok(Standing {
        system: run.system,
        timeline: range.timeline,
        fork,
        at: range.timeline,
        redo: range.end.0,
        set: facts::backup_set(BackupKind::Full, fork, range.start, range.end),
    })
}
