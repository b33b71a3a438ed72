//! A media set as a database engine that makes its one backup again.

use std::io;
use std::sync::Arc;

use vab_chain::{BackupKind, BackupSet};
use vab_vdi::EngineTransport;

use super::{MediaSet, PlayError, PlayRequest};
use crate::engine::{DatabaseInfo, DatabaseState, Engine, RecoveryModel};
use crate::error::{BackupError, EngineError, RestoreError};
use crate::refusal::Refusal;
use crate::request::{BackupRequest, RecoverRequest, RestoreRequest, Restored};

/// The engine has one database, that of the set, and makes one backup of it, the set. It cannot
/// restore; [`export`](super::export) writes backups to files.
///
/// A set without facts has no database here; [`MediaSet::play`] plays it all the same.
impl Engine for MediaSet {
    fn databases(&self) -> Result<Vec<DatabaseInfo>, EngineError> {
        let facts = self.facts().into_iter();
        Ok(facts.map(|facts| info(facts, self.model())).collect())
    }

    fn backup(
        &self,
        request: &BackupRequest,
        transport: &dyn EngineTransport,
    ) -> Result<BackupSet, BackupError> {
        let facts = self
            .facts()
            .filter(|facts| facts.database == request.database)
            .ok_or_else(|| Refusal::NoSuchDatabase {
                database: request.database.clone(),
            })?;
        if facts.kind != request.kind {
            let what = match request.kind {
                BackupKind::Full => "make a full backup: its files hold another kind",
                BackupKind::Differential => "make a differential: its files hold another kind",
                BackupKind::Log => "make a log backup: its files hold another kind",
            };
            return Err(EngineError::Unsupported { what }.into());
        }
        let mut play = PlayRequest::new(request.devices.clone());
        play.max_transfer = request.geometry.max_transfer();
        play.timeout = request.timeout;
        play.progress = request.progress.clone();
        self.play(&play, transport)?;
        Ok(facts.clone())
    }

    fn restore(
        &self,
        _: &RestoreRequest,
        _: &dyn EngineTransport,
    ) -> Result<Restored, RestoreError> {
        let what = "restore: it is a set of files; export the backup to files instead";
        Err(EngineError::Unsupported { what }.into())
    }

    fn recover(&self, _: &RecoverRequest) -> Result<Restored, RestoreError> {
        let what = "recover: it is a set of files";
        Err(EngineError::Unsupported { what }.into())
    }
}

impl MediaSet {
    /// The model that the database likely had: where there was no log chain, SIMPLE. The models
    /// FULL and `BULK_LOGGED` cannot be told apart.
    fn model(&self) -> RecoveryModel {
        let native = self.stripes().first().and_then(|it| it.medium.native());
        match native.and_then(|medium| medium.sets.first()) {
            Some(set) if set.first.log_chain_began.is_none() => RecoveryModel::Simple,
            _ => RecoveryModel::Full,
        }
    }
}

fn info(facts: &BackupSet, model: RecoveryModel) -> DatabaseInfo {
    let mut info = DatabaseInfo::new(facts.database.clone(), DatabaseState::Online, model);
    info.database_id = facts.database_id;
    info.family_id = facts.family_id;
    info.fork = facts.last_fork;
    info
}

impl From<PlayError> for BackupError {
    fn from(error: PlayError) -> Self {
        match error {
            PlayError::Set(error) => Self::Set(error),
            PlayError::Device { device, error } => Self::Device { device, error },
            PlayError::DeviceCount { stripes, devices } => Self::Refused(Refusal::Stripes {
                expected: stripes,
                found: devices,
            }),
            error => Self::Engine(EngineError::Io {
                action: "playing a backup file",
                error: Arc::new(io::Error::new(io::ErrorKind::InvalidData, error)),
            }),
        }
    }
}
