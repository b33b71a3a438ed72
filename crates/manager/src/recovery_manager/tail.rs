//! Backs up the tail of a log before a restore takes the place of its database.

use std::sync::Arc;

use tokio::task::spawn_blocking;
use vab_chain::BackupKind;
use vab_engine::{DatabaseState, Engine, EngineError, LegalKind, Tail};
use vab_mover::Encoding;

use super::RecoveryManager;
use super::backup::{BackupError, DatabaseBackup};
use super::manner::Checksums;
use super::restore::{Restore, RestoreError};
use crate::listing;
use crate::observer::Observer;
use crate::point::PointInfo;
use crate::run::{Decision, Guard, OnBrokenChain};

/// Why the tail of a log was not backed up. The database is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TailError {
    /// The restore points could not be looked up, or there are none.
    #[error(transparent)]
    Points(#[from] RestoreError),
    /// The engine does not list its databases.
    #[error("the engine does not say which databases it has")]
    Engine(#[from] EngineError),
    /// There is no such database.
    #[error(
        "there is no database {database}, so there is no tail of its log; restore without --tail"
    )]
    NoDatabase {
        /// What was asked for.
        database: String,
    },
    /// The tail would not help.
    #[error(
        "the tail of the log of {database} would not help: {decision}; --replace restores without \
         it, and what happened since the last backup is lost then"
    )]
    WouldNotConnect {
        /// The database.
        database: String,
        /// Why not.
        decision: Decision,
    },
    /// The backup failed.
    #[error("the tail of the log was not backed up")]
    Backup(#[from] BackupError),
    /// A thread died.
    #[error("the thread of the engine died")]
    Died,
}

impl RecoveryManager {
    /// Backs up the tail of the log of the database that `restore` is about into the job that its
    /// restore points are of, and leaves the database restoring: nothing can be lost then by a
    /// restore over it, and none has to be replaced by force.
    ///
    /// The log of a database that does not start, or is said to be damaged ([`Restore::damaged`]),
    /// is asked for as it is (`NO_TRUNCATE`).
    ///
    /// If no restore follows, [`Engine::recover`] brings the database back as it was.
    ///
    /// # Errors
    /// When there is no tail that would connect to the restore points. The database is as it was.
    pub async fn back_up_tail(
        &self,
        engine: Arc<dyn Engine>,
        restore: &Restore,
        encoding: &Encoding,
        observer: &Observer,
    ) -> Result<PointInfo, TailError> {
        let points = restore.points(&self.catalog()).await?;
        let listing_engine = Arc::clone(&engine);
        let listed = spawn_blocking(move || listing_engine.databases()).await;
        let listed = listed.map_err(|_| TailError::Died)??;
        let info = listed
            .into_iter()
            .find(|info| info.name == restore.database);
        let (Some(info), Some(point)) = (info, points.first()) else {
            let database = restore.database.clone();
            return Err(TailError::NoDatabase { database });
        };
        // One that does not start does not say where its log begins either.
        let does_not_start = matches!(
            info.state,
            DatabaseState::Suspect | DatabaseState::RecoveryPending
        );
        if !does_not_start {
            let mut guard = Guard::new(LegalKind::new(BackupKind::Log, false));
            guard.on_broken_chain = OnBrokenChain::Fail;
            let decision = guard.decide(&info, &listing::chain_of(&points));
            if decision.take().is_none() {
                return Err(TailError::WouldNotConnect {
                    database: info.name,
                    decision,
                });
            }
        }
        let mut backup = DatabaseBackup::new(point.job.clone(), info.name, BackupKind::Log);
        backup.tail = Tail::NoRecovery;
        backup.no_truncate = restore.damaged || does_not_start;
        backup.manner = restore.manner;
        backup.manner.checksums = Checksums::Usual;
        backup.encoding = encoding.clone();
        Ok(self.backup(engine, &backup, observer).await?)
    }
}
