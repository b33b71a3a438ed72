//! Clusters as the databases of an engine.

mod base_backup;
mod devices;
mod log_backup;
mod recover;
mod restore_base;
mod restore_log;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vab_chain::{BackupKind, BackupSet, Lsn, ServerTime};
use vab_engine::{
    BackupError, BackupRequest, DatabaseInfo, DatabaseState, Engine, EngineError, RecoverRequest,
    RecoverRequest as Recovering, RecoveryModel, Refusal, RestoreError, RestoreRequest, Restored,
};
use vab_vdi::EngineTransport;

use crate::cluster::{Cluster, ClusterOptions};
use crate::error::PostgresError;
use crate::facts;
use crate::programs::{ProgramError, Programs};
use crate::wal::Position;

/// PostgreSQL clusters in the folders of one folder; each is a database of the engine, called
/// like its folder.
///
/// A cluster is backed up whole, in one stream. There are no differentials before PostgreSQL 17.
#[derive(Clone, Debug)]
pub struct Postgres {
    programs: Arc<Programs>,
    folder: PathBuf,
}

/// Before its name has this, a folder is not a cluster yet, or no longer.
const ASIDE: &str = ".";

impl Postgres {
    /// The clusters in `folder`, which is made when it is not there. As the superuser, the
    /// servers run as the user `postgres` or `nobody`, who must be able to reach the folder.
    ///
    /// # Errors
    /// When there is no PostgreSQL server on this machine, or the folder cannot be made.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, PostgresError> {
        let (programs, folder) = (Programs::find()?, folder.into());
        if !folder.exists() {
            let made = programs.make_folder(&folder);
            made.map_err(PostgresError::io("made", &folder))?;
        }
        let folder = folder.canonicalize();
        Ok(Self {
            programs: Arc::new(programs),
            folder: folder.map_err(PostgresError::io("found", Path::new("clusters")))?,
        })
    }

    /// Whether this machine has a PostgreSQL server.
    ///
    /// # Errors
    /// When it has none; the error says what to install.
    pub fn is_installed() -> Result<(), ProgramError> {
        Programs::find().map(|_| ())
    }

    /// Makes a new cluster and starts its server.
    ///
    /// # Errors
    /// When there is one of this name, or it cannot be made.
    pub fn create(&self, name: &str, options: ClusterOptions) -> Result<Cluster, EngineError> {
        let cluster = self.place(name)?;
        if cluster.folder().exists() {
            return Err(exists(name).into());
        }
        let make = || {
            cluster.lay_out()?;
            cluster.init(options)?;
            cluster.start()
        };
        make().map_err(|error| error.during("making the cluster"))?;
        Ok(cluster)
    }

    /// A cluster that is there.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn cluster(&self, name: &str) -> Result<Cluster, EngineError> {
        let cluster = self.place(name)?;
        if cluster.folder().is_dir() {
            return Ok(cluster);
        }
        let database = name.to_owned();
        Err(Refusal::NoSuchDatabase { database }.into())
    }

    /// Ends a cluster's server and removes everything it has, also WAL that is in no backup.
    ///
    /// # Errors
    /// When there is no such cluster, or it cannot be removed.
    pub fn remove(&self, name: &str) -> Result<(), EngineError> {
        let cluster = self.cluster(name)?;
        let remove = || {
            cluster.stop()?;
            let removed = fs::remove_dir_all(cluster.folder());
            removed.map_err(PostgresError::io("removed", cluster.folder()))
        };
        remove().map_err(|error: PostgresError| error.during("removing the cluster"))
    }

    /// Removes from the archive of a cluster what `set` holds: its restore point is committed.
    /// Gives the number of segments.
    ///
    /// Until this is said, every log backup begins where the last one began, so that none that
    /// came to nothing leaves a gap.
    ///
    /// # Errors
    /// When there is no such cluster, or a file cannot be removed.
    pub fn release(&self, name: &str, set: &BackupSet) -> Result<usize, EngineError> {
        let cluster = self.cluster(name)?;
        if set.kind != BackupKind::Log {
            return Ok(0);
        }
        let release = || {
            let archive = cluster.archive();
            let system = archive.runs()?.first().map(|run| run.system);
            let timeline = system.zip(set.last_fork);
            let timeline = timeline.and_then(|(system, fork)| facts::timeline(system, fork));
            match timeline {
                Some(timeline) => archive.release(timeline, facts::position(set.last_lsn)),
                None => Ok(0),
            }
        };
        release().map_err(|error: PostgresError| error.during("releasing archived WAL"))
    }

    /// Where a cluster of this name is, or would be.
    fn place(&self, name: &str) -> Result<Cluster, EngineError> {
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.');
        if name.is_empty() || name.starts_with(ASIDE) || !name.chars().all(legal) {
            return Err(Refusal::NotAllowed {
                what: "the name of a cluster is made of letters, digits, `_`, `-`, `.` and spaces",
                number: 2703,
            }
            .into());
        }
        self.at(name)
    }

    fn at(&self, name: &str) -> Result<Cluster, EngineError> {
        let cluster = Cluster::new(Arc::clone(&self.programs), self.folder.join(name));
        cluster.map_err(|error| error.during("finding the cluster"))
    }

    fn info(&self, name: &str) -> Result<Option<DatabaseInfo>, EngineError> {
        let cluster = self.cluster(name)?;
        let look = || -> Result<Option<DatabaseInfo>, PostgresError> {
            let with = |state| DatabaseInfo::new(name, state, RecoveryModel::Full);
            if let Some(standing) = cluster.incoming().standing()? {
                let mut info = with(DatabaseState::Restoring);
                info.family_id = Some(facts::family(standing.system));
                info.fork = Some(standing.fork);
                info.redo_lsn = Some(facts::lsn(Position(standing.redo)));
                return Ok(Some(info));
            }
            if !cluster.is_running() {
                return Ok(None);
            }
            let mut info = with(DatabaseState::Online);
            let (system, history) = (cluster.system()?, cluster.history()?);
            info.family_id = Some(facts::family(system));
            info.fork = facts::fork(system, &history, history.timeline());
            let runs = cluster.archive().runs()?;
            info.last_log_backup_lsn = runs.first().map(|run| facts::lsn(run.start()));
            let sizes = "select sum(pg_database_size(oid))::bigint from pg_database";
            info.data_bytes = cluster.number(sizes)?;
            Ok(Some(info))
        };
        look().map_err(|error| error.during("asking the cluster"))
    }
}

/// Clusters whose server does not run are not listed, unless they are being restored.
impl Engine for Postgres {
    fn databases(&self) -> Result<Vec<DatabaseInfo>, EngineError> {
        let read = |error| {
            let error = PostgresError::io("read", &self.folder)(error);
            error.during("listing the clusters")
        };
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(read)? {
            let name = entry.map_err(read)?.file_name();
            let name = name.to_string_lossy();
            if !name.starts_with(ASIDE) {
                names.push(name.into_owned());
            }
        }
        names.sort();
        let infos = names.iter().filter_map(|name| self.info(name).transpose());
        infos.collect()
    }

    fn backup(
        &self,
        request: &BackupRequest,
        transport: &dyn EngineTransport,
    ) -> Result<BackupSet, BackupError> {
        let cluster = self.cluster(&request.database)?;
        devices::require_one(request.devices.len())?;
        match request.kind {
            BackupKind::Full => base_backup::take(&cluster, request, transport),
            BackupKind::Log => log_backup::take(&cluster, request, transport),
            BackupKind::Differential => Err(EngineError::Unsupported {
                what: "make differentials: PostgreSQL has them from version 17 on; take a full or a log",
            }
            .into()),
        }
    }

    fn restore(
        &self,
        request: &RestoreRequest,
        transport: &dyn EngineTransport,
    ) -> Result<Restored, RestoreError> {
        devices::require_one(request.devices.len())?;
        let (cluster, restored) = match request.kind {
            BackupKind::Full => restore_base::restore(self, request, transport)?,
            BackupKind::Log => restore_log::restore(self, request, transport)?,
            BackupKind::Differential => {
                let what = "restore a differential";
                return Err(EngineError::Unsupported { what }.into());
            }
        };
        recover::finish(
            &cluster,
            restored,
            request.recovery,
            request.stop_at.clone(),
        )
    }

    fn recover(&self, request: &RecoverRequest) -> Result<Restored, RestoreError> {
        let Recovering {
            database, recovery, ..
        } = request;
        let cluster = self.cluster(database)?;
        let standing = recover::standing(&cluster, database)?;
        recover::finish(&cluster, recover::restoring(&standing), *recovery, None)
    }
}

fn exists(name: &str) -> Refusal {
    Refusal::Exists {
        database: name.to_owned(),
    }
}

/// The server's clock is taken in UTC, so that no time zone and no daylight saving plays a part.
fn server_time(micros: i64) -> ServerTime {
    ServerTime::from_micros(micros)
}

fn lsns(first: Position, end: Position) -> std::ops::Range<Lsn> {
    facts::lsn(first)..facts::lsn(end)
}
