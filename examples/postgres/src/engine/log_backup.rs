//! A log: the first run of archived segments.

use std::fs;
use std::io;
use std::process::Stdio;

use vab_chain::{BackupKind, BackupSet};
use vab_engine::{BackupError, BackupRequest, EngineError, Tail};
use vab_vdi::{Direction, EngineTransport};

use super::devices::OneDevice;
use super::{lsns, server_time};
use crate::archive::Run;
use crate::cluster::{Cluster, Wait};
use crate::error::PostgresError;
use crate::facts;
use crate::programs::{Running, run};
use crate::wal::Position;

/// How long the server may take to archive what it has.
const ARCHIVING: Wait = Wait { seconds: 300 };

/// A message in the log that belongs to a transaction, whose commit is the last one of the log.
const MARK: &str = "select pg_logical_emit_message(true, 'vab', 'log backup')";

/// The name of the file in which the segment is that ends with the log so far.
const SWITCH: &str = "select pg_walfile_name(pg_switch_wal() - 1)";

pub(super) fn take(
    cluster: &Cluster,
    request: &BackupRequest,
    transport: &dyn EngineTransport,
) -> Result<BackupSet, BackupError> {
    if request.tail != Tail::KeepOnline {
        let what = "leave a cluster restoring; stop its server, then take its last archived log";
        return Err(EngineError::Unsupported { what }.into());
    }
    let gathered = gather(cluster).map_err(|error| error.during("collecting archived WAL"))?;
    let one = OneDevice::open(
        &request.devices,
        Direction::Backup,
        request.geometry,
        request.timeout,
        transport,
    )?;
    let mut tar = pack(cluster, &gathered.run).map_err(|error| error.during("packing WAL"))?;
    let nothing = || PostgresError::NotARun {
        reason: "it has no stream, or a timeline without history".to_owned(),
    };
    let unusable = || nothing().during("packing WAL");
    let mut stream = tar.stdout().ok_or_else(unusable)?;
    one.send(&mut stream, || tar.finish().map_err(io::Error::other))?;
    Ok(describe(request, &gathered).ok_or_else(unusable)?)
}

/// What to back up, and what is known of it.
struct Gathered {
    run: Run,
    started: i64,
    /// Of all that was committed before, everything is in the run; and the commit of this moment,
    /// or a later one, is.
    finished: i64,
}

/// Has everything archived that there is until now.
///
/// A recovery to a moment ends at the first commit of that moment or later, and is an error when
/// there is none. So the log gets a commit after the moment that it is said to finish at.
fn gather(cluster: &Cluster) -> Result<Gathered, PostgresError> {
    let started = cluster.now()?;
    cluster.query(MARK)?;
    let last = cluster.query(SWITCH)?;
    let archive = cluster.archive();
    let archived = || Ok::<_, PostgresError>(archive.holds(&last).then_some(()));
    if ARCHIVING.until(archived)?.is_none() {
        return Err(PostgresError::NotArchived {
            segment: last,
            seconds: ARCHIVING.seconds,
            log: cluster.log(),
        });
    }
    let runs = archive.runs()?;
    let run = runs.into_iter().next().ok_or(PostgresError::NotARun {
        reason: "the archive is empty".to_owned(),
    })?;
    let finished = if run.last().name() == last {
        started
    } else {
        // Segments are missing behind this run, or another timeline begins.
        last_commit(cluster, &run)?
    };
    Ok(Gathered {
        run,
        started: started.min(finished),
        finished,
    })
}

/// The moment of the last commit in a run, in microseconds since 1970. Without a commit there is
/// no moment to stop at; then that of the run's making has to do.
fn last_commit(cluster: &Cluster, run_of: &Run) -> Result<i64, PostgresError> {
    for segment in run_of.segments().iter().rev() {
        let mut command = cluster.programs().command("pg_waldump");
        command.arg("--rmgr=Transaction").arg("--path");
        command.arg(cluster.archive().folder());
        command.args(["--timeline", &segment.timeline.to_string()]);
        command.args(["--start", &segment.start.to_string()]);
        command.args(["--end", &segment.end().to_string()]);
        // A record that goes on in the next segment is an error to it, after all the others.
        command.stdout(Stdio::piped());
        let mut program = Running::start(&mut command)?;
        let mut said = String::new();
        if let Some(mut stdout) = program.stdout() {
            let read = io::Read::read_to_string(&mut stdout, &mut said);
            read.map_err(PostgresError::io("read", cluster.archive().folder()))?;
        }
        let _may_fail = program.finish();
        let commits = said.lines().rev().filter_map(|line| {
            let (_, time) = line.split_once("desc: COMMIT ")?;
            let time = time.split(" UTC").next()?;
            time.replacen(' ', "T", 1)
                .parse::<vab_chain::ServerTime>()
                .ok()
        });
        if let Some(time) = commits.max() {
            return Ok(time.as_micros());
        }
    }
    let path = cluster.archive().folder().join(run_of.last().name());
    let age = run(cluster
        .programs()
        .tool("stat")
        .args(["-c", "%Y"])
        .arg(&path))?;
    let seconds: i64 = age.trim().parse().map_err(|_| PostgresError::Answer {
        expected: "a number of seconds",
        answer: age.clone(),
    })?;
    Ok(seconds.saturating_mul(1_000_000))
}

/// The files of a run as a stream.
fn pack(cluster: &Cluster, run: &Run) -> Result<Running, PostgresError> {
    let archive = cluster.archive();
    let list = archive.folder().join("list");
    let names: String = run
        .files()
        .flat_map(|name| [name, "\n".to_owned()])
        .collect();
    fs::write(&list, names).map_err(PostgresError::io("written", &list))?;
    let mut command = cluster.programs().tool("tar");
    command.arg("-C").arg(archive.folder());
    command
        .args(["--format=ustar", "-c", "-f", "-", "-T"])
        .arg(&list);
    Ok(Running::start(command.stdout(Stdio::piped()))?)
}

fn describe(request: &BackupRequest, gathered: &Gathered) -> Option<BackupSet> {
    let run = &gathered.run;
    let fork = |timeline| facts::fork(run.system, &run.history, timeline);
    let (start, end) = (run.start(), run.end());
    let owner = run.history.owner(start);
    let last = fork(run.timeline())?;
    let mut set = BackupSet::new(
        facts::backup_set(BackupKind::Log, last, start, end),
        request.database.clone(),
        BackupKind::Log,
        lsns(start, end),
        server_time(gathered.started),
        server_time(gathered.finished),
    );
    set.first_fork = fork(owner);
    set.last_fork = Some(last);
    let point = run
        .history
        .end_of(owner)
        .filter(|_| set.first_fork != set.last_fork);
    set.fork_point = point.map(|point: Position| facts::lsn(point));
    set.family_id = Some(facts::family(run.system));
    set.copy_only = request.copy_only;
    set.utc_offset = Some(0);
    Some(set)
}
