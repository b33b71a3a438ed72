//! Backs up one database of an engine.

use std::sync::Arc;

use tokio::task::spawn_blocking;
use vab_chain::BackupKind;
use vab_engine::{BackupRequest, Engine, Tail};
use vab_mover::Encoding;
use vab_repository::{Facts, SessionFacts};

use super::RecoveryManager;
use super::ends::Ends;
use super::manner::{Checksums, Manner};
use super::take::{Take, TakeError};
use crate::message::BeginBackup;
use crate::observer::Observer;
use crate::point::PointInfo;

/// Why a backup of a database left no restore point.
pub type BackupError = TakeError<vab_engine::BackupError>;

/// One backup of one database.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DatabaseBackup {
    /// The job; its first backup creates it.
    pub job: String,
    /// The database.
    pub database: String,
    /// Full, differential or log.
    pub kind: BackupKind,
    /// Leave the chain of the database alone.
    pub copy_only: bool,
    /// Parallel streams, 1 to 64; each is one virtual device.
    pub streams: u16,
    /// Only of a log: what becomes of the database afterwards.
    pub tail: Tail,
    /// Only of a log: the database may be damaged (`NO_TRUNCATE`).
    pub no_truncate: bool,
    /// How the engine makes its streams.
    pub manner: Manner,
    /// How the blocks are compressed and encrypted; not at all, by default.
    pub encoding: Encoding,
}

impl DatabaseBackup {
    /// A backup in one stream.
    pub fn new(job: impl Into<String>, database: impl Into<String>, kind: BackupKind) -> Self {
        Self {
            job: job.into(),
            database: database.into(),
            kind,
            copy_only: false,
            streams: 1,
            tail: Tail::KeepOnline,
            no_truncate: false,
            manner: Manner::default(),
            encoding: Encoding::default(),
        }
    }
}

impl RecoveryManager {
    /// Tells `engine` to back up a database, and stores what it sends.
    ///
    /// Succeeds when every device ended normally, the engine's statement succeeded, and the target
    /// has committed. Dropping the future aborts the backup.
    ///
    /// # Errors
    /// Anything else: there is no restore point then.
    pub async fn backup(
        &self,
        engine: Arc<dyn Engine>,
        backup: &DatabaseBackup,
        observer: &Observer,
    ) -> Result<PointInfo, BackupError> {
        let ends = Ends::of(&engine, &self.hub).await?;
        let take = Take {
            source: &self.source,
            ends: ends.clone(),
            begin: BeginBackup {
                job: backup.job.clone(),
                database: backup.database.clone(),
                kind: Some(backup.kind),
                copy_only: backup.copy_only,
            },
            streams: backup.streams,
            encoding: &backup.encoding,
            bytes: expected_bytes(&engine, backup).await,
            watch: engine.watch(backup.streams.into()),
            observer,
        };
        let (database, kind, copy_only) = (backup.database.clone(), backup.kind, backup.copy_only);
        let (tail, no_truncate, manner) = (backup.tail, backup.no_truncate, backup.manner);
        take.run(move |devices| {
            let mut request = BackupRequest::new(database, kind, devices);
            request.copy_only = copy_only;
            request.tail = tail;
            request.no_truncate = no_truncate;
            request.geometry = manner.geometry;
            request.checksum = manner.checksums != Checksums::Off;
            request.continue_after_error = manner.continue_after_error;
            request.cancel = ends.cancel;
            let set = engine.backup(&request, ends.engine.as_ref())?;
            Ok(SessionFacts {
                facts: Facts::Known(set),
                names: Vec::new(),
            })
        })
        .await
    }
}

/// About how many bytes a full backup will move, for the progress only; of other kinds nobody
/// knows before.
async fn expected_bytes(engine: &Arc<dyn Engine>, backup: &DatabaseBackup) -> Option<u64> {
    if backup.kind != BackupKind::Full {
        return None;
    }
    let engine = Arc::clone(engine);
    let databases = spawn_blocking(move || engine.databases())
        .await
        .ok()?
        .ok()?;
    let database = databases
        .into_iter()
        .find(|database| database.name == backup.database)?;
    Some(database.data_bytes).filter(|bytes| *bytes > 0)
}
