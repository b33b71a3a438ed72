//! What a database engine offers to a backup program.

use std::sync::Arc;

use vab_chain::{BackupSet, DatabaseId, DifferentialBase, FamilyId, ForkId, Lsn, Mark};
use vab_vdi::{EngineTransport, Transport};

use crate::error::{BackupError, EngineError, RestoreError};
use crate::look::{LookRequest, Looked};
use crate::request::{
    BackupRequest, FileMove, FilesRequest, RecoverRequest, RestoreRequest, Restored,
};
use crate::watch::BackupWatch;

/// A database engine that backs its databases up to virtual devices and restores them from there.
///
/// Every call blocks until the engine is done; give it a thread of its own, because somebody has
/// to serve the devices meanwhile. To cancel a call, use the `cancel` of its request and abort its
/// device set: the call then ends with an error and leaves nothing behind that a later backup would
/// depend on.
pub trait Engine: Send + Sync {
    /// The databases and how they stand, ordered by name.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    fn databases(&self) -> Result<Vec<DatabaseInfo>, EngineError>;

    /// The marked transactions of a database that the engine remembers, also of one that is not
    /// there any more, ordered by their log records.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    fn marks(&self, database: &str) -> Result<Vec<Mark>, EngineError> {
        let _ = database;
        Ok(Vec::new())
    }

    /// Where the backup program has to create the device sets for this engine.
    ///
    /// `None`: in this program, in the place whose other side is given to [`Engine::backup`] and
    /// [`Engine::restore`]. `Some`: there. Such an engine opens the devices itself, by their names,
    /// and does not use the [`EngineTransport`] it is given.
    ///
    /// # Errors
    /// When the devices of this engine cannot be used on this machine.
    fn devices(&self) -> Result<Option<Arc<dyn Transport>>, EngineError> {
        Ok(None)
    }

    /// Whether [`Engine::file_moves`] has to be asked before a full is restored.
    fn looks_at_files(&self) -> bool {
        false
    }

    /// Looks at the files in a full from a device set, and says where each of them has to go: what
    /// [`RestoreRequest::files`] should be.
    ///
    /// The engine ends the set when it has seen enough.
    ///
    /// # Errors
    /// When the engine refuses the set, or a device fails.
    fn file_moves(
        &self,
        request: &FilesRequest,
        transport: &dyn EngineTransport,
    ) -> Result<Vec<FileMove>, RestoreError> {
        let _ = (request, transport);
        Ok(Vec::new())
    }

    /// Backs up one database into the device set named by the request, and returns the facts of
    /// the set once every device has ended normally.
    ///
    /// # Errors
    /// When the engine refuses, or a device fails. The log is then not truncated and the base of
    /// differentials not moved.
    fn backup(
        &self,
        request: &BackupRequest,
        transport: &dyn EngineTransport,
    ) -> Result<BackupSet, BackupError>;

    /// Looks at a backup set in a device set, as this engine sees it. Nothing is restored.
    ///
    /// # Errors
    /// When the engine cannot look at backups, refuses the set, or a device fails.
    fn look(
        &self,
        request: &LookRequest,
        transport: &dyn EngineTransport,
    ) -> Result<Looked, RestoreError> {
        let _ = (request, transport);
        Err(EngineError::Unsupported {
            what: "say what it sees in a backup without restoring it",
        }
        .into())
    }

    /// Somebody who reads the `streams` streams of a backup of this engine while they pass, and says
    /// at its end whether they are what [`Engine::backup`] says it made; `None` where there is
    /// nothing to read in them.
    fn watch(&self, streams: usize) -> Option<Box<dyn BackupWatch>> {
        let _ = streams;
        None
    }

    /// Restores one backup set: one step of a plan.
    ///
    /// # Errors
    /// When the engine refuses the set (the database is as before), or a device fails (the
    /// database may be left restoring).
    fn restore(
        &self,
        request: &RestoreRequest,
        transport: &dyn EngineTransport,
    ) -> Result<Restored, RestoreError>;

    /// Ends a sequence of restores without another backup set
    /// (`RESTORE DATABASE … WITH RECOVERY`, or `WITH STANDBY`).
    ///
    /// # Errors
    /// When the database is not restoring or lacks log to be consistent.
    fn recover(&self, request: &RecoverRequest) -> Result<Restored, RestoreError>;
}

/// A database as the engine lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DatabaseInfo {
    /// Its name.
    pub name: String,
    /// Whether it can be used.
    pub state: DatabaseState,
    /// How its log is kept.
    pub recovery_model: RecoveryModel,
    /// `database_guid`.
    pub database_id: Option<DatabaseId>,
    /// `family_guid`.
    pub family_id: Option<FamilyId>,
    /// The recovery fork it is on.
    pub fork: Option<ForkId>,
    /// Where the next log backup begins; `None` when a log backup would be refused (SIMPLE, or
    /// no backup that could start the log chain).
    pub last_log_backup_lsn: Option<Lsn>,
    /// What a differential would be based on; `None` when it would be refused.
    pub differential_base: Option<DifferentialBase>,
    /// Where redo would go on, of a database that is restoring or in standby.
    pub redo_lsn: Option<Lsn>,
    /// Bytes of its data files; 0 when not known.
    pub data_bytes: u64,
    /// Nothing can be written to it (`SET READ_ONLY`).
    pub read_only: bool,
    /// Its part in an availability group; `None` when it is in none.
    pub replica: Option<Replica>,
}

impl DatabaseInfo {
    /// A database of this name; everything else unknown.
    pub fn new(name: impl Into<String>, state: DatabaseState, model: RecoveryModel) -> Self {
        Self {
            name: name.into(),
            state,
            recovery_model: model,
            database_id: None,
            family_id: None,
            fork: None,
            last_log_backup_lsn: None,
            differential_base: None,
            redo_lsn: None,
            data_bytes: 0,
            read_only: false,
            replica: None,
        }
    }
}

/// The part of a database in an availability group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Replica {
    /// It follows the primary one.
    pub secondary: bool,
    /// Backups are to be taken of this one (`sys.fn_hadr_backup_is_preferred_replica`).
    pub preferred: bool,
}

/// Whether a database can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum DatabaseState {
    /// It can be read and written.
    Online,
    /// It waits for further restores.
    Restoring,
    /// It can be read, and further log can be restored.
    Standby,
    /// It was found damaged and cannot be used before it is restored.
    Suspect,
    /// The server is bringing it online.
    Recovering,
    /// The server cannot bring it online, for lack of files or space.
    RecoveryPending,
    /// It was put out of order for repairs.
    Emergency,
    /// It was taken offline.
    Offline,
}

/// How a database keeps its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecoveryModel {
    /// The log is reused after each checkpoint; no log backups.
    Simple,
    /// Everything is logged and kept until a log backup.
    Full,
    /// As full, but bulk work logs only which extents it changed.
    BulkLogged,
}

macro_rules! display {
    ($name:ident { $($variant:ident => $text:literal),* $(,)? }) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(match self { $(Self::$variant => $text),* })
            }
        }
    };
}

display!(DatabaseState {
    Online => "online",
    Restoring => "restoring",
    Standby => "standby",
    Suspect => "suspect",
    Recovering => "recovering",
    RecoveryPending => "pending recovery",
    Emergency => "emergency",
    Offline => "offline",
});
display!(RecoveryModel {
    Simple => "SIMPLE",
    Full => "FULL",
    BulkLogged => "BULK_LOGGED",
});
