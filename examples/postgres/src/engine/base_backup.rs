//! A full: a base backup, with the WAL that makes it consistent.

use std::io;

use vab_chain::{BackupKind, BackupSet};
use vab_engine::{BackupError, BackupRequest};
use vab_vdi::{Direction, EngineTransport};

use super::devices::OneDevice;
use super::{lsns, server_time};
use crate::base::{WalRange, Watched};
use crate::cluster::Cluster;
use crate::error::PostgresError;
use crate::facts;

/// One tar archive to the standard output. The WAL comes inside (`fetch`), so that a full can be
/// restored alone.
const ARGUMENTS: [&str; 6] = [
    "--pgdata=-",
    "--format=tar",
    "--wal-method=fetch",
    "--checkpoint=fast",
    "--label=vab",
    "--manifest-checksums=CRC32C",
];

pub(super) fn take(
    cluster: &Cluster,
    request: &BackupRequest,
    transport: &dyn EngineTransport,
) -> Result<BackupSet, BackupError> {
    let asked = |error: PostgresError| error.during("asking the cluster");
    let system = cluster.system().map_err(asked)?;
    let checked = cluster.query("show data_checksums").map_err(asked)?;
    let checksums = request.checksum && checked == "on";
    let started = cluster.now().map_err(asked)?;
    let one = OneDevice::open(
        &request.devices,
        Direction::Backup,
        request.geometry,
        request.timeout,
        transport,
    )?;
    let program = || {
        let arguments = ARGUMENTS.into_iter();
        let unchecked = (!checksums).then_some("--no-verify-checksums");
        let arguments: Vec<_> = arguments.chain(unchecked).collect();
        Ok::<_, PostgresError>(cluster.client("pg_basebackup", &arguments)?)
    };
    let mut program = program().map_err(|error| error.during("starting the base backup"))?;
    let stdout = program.stdout().ok_or_else(no_stream)?;
    let mut stream = Watched::new(stdout);
    let confirm = || program.finish().map_err(io::Error::other);
    one.send(&mut stream, confirm)?;
    let facts = || {
        let range = WalRange::of_manifest(stream.manifest_tail())?;
        let history = cluster.history_of(range.timeline)?;
        Ok((range, history, cluster.now()?))
    };
    let facts = facts();
    let (range, history, finished) =
        facts.map_err(|error: PostgresError| error.during("reading what the base backup needs"))?;
    let fork = facts::fork(system, &history, range.timeline).ok_or_else(no_stream)?;
    let mut set = BackupSet::new(
        facts::backup_set(BackupKind::Full, fork, range.start, range.end),
        request.database.clone(),
        BackupKind::Full,
        lsns(range.start, range.end),
        server_time(started),
        server_time(finished),
    );
    set.first_fork = Some(fork);
    set.last_fork = Some(fork);
    set.family_id = Some(facts::family(system));
    set.copy_only = request.copy_only;
    set.flags.checksums = checksums;
    set.utc_offset = Some(0);
    Ok(set)
}

fn no_stream() -> vab_engine::EngineError {
    PostgresError::Manifest {
        reason: "the backup has no stream, or is of a timeline without history".to_owned(),
    }
    .during("reading the base backup")
}
