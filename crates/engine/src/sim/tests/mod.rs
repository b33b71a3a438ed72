//! Behaviour of the engine as a whole, one file a subject.

mod backup;
mod crash;
mod devices;
mod history;
mod hostile;
mod restore;
mod work;

use std::sync::Arc;

use vab_chain::{BackupKind, BackupSet, ServerTime};

use crate::engine::RecoveryModel;
use crate::error::{BackupError, RestoreError};
use crate::request::{BackupRequest, Recovery, RestoreRequest, Restored, StopAt};
use crate::sim::{Database, Ids, Instance, ManualClock, Options};

/// The rows of a database.
type Rows = Vec<(u64, Vec<u8>)>;

/// A backup that somebody kept.
#[derive(Clone)]
struct Kept {
    set: BackupSet,
    stripes: Vec<Vec<u8>>,
}

/// A server in memory with a clock that stands still.
struct World {
    instance: Instance,
    clock: Arc<ManualClock>,
}

const SECOND: i64 = 1_000_000;

fn start() -> ServerTime {
    ServerTime::from_calendar(2026, 11, 22, 8, 0, 0).unwrap()
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(start()));
        let options = Options::with_clock(clock.clone()).ids(Ids::seeded(1));
        Self {
            instance: Instance::memory(options),
            clock,
        }
    }

    /// A world with the database `db` under the FULL model.
    fn with_db() -> (Self, Database) {
        let world = Self::new();
        let db = world
            .instance
            .create_database("db", RecoveryModel::Full)
            .unwrap();
        (world, db)
    }

    fn db(&self, name: &str) -> Database {
        self.instance.database(name).unwrap()
    }

    fn pass(&self, seconds: i64) {
        self.clock.advance(seconds * SECOND);
    }

    /// Puts a row and lets a second pass.
    fn put(&self, name: &str, key: u64, value: &str) {
        self.db(name).put(key, value.as_bytes()).unwrap();
        self.pass(1);
    }

    fn try_backup(&self, name: &str, kind: BackupKind) -> Result<Kept, BackupError> {
        self.try_backup_with(&BackupRequest::new(name, kind, Vec::new()))
    }

    fn try_backup_with(&self, request: &BackupRequest) -> Result<Kept, BackupError> {
        let mut stripes = vec![Vec::new(); 2];
        let set = self.instance.backup_to(request, &mut stripes)?;
        self.pass(1);
        Ok(Kept { set, stripes })
    }

    fn full(&self, name: &str) -> Kept {
        self.try_backup(name, BackupKind::Full).unwrap()
    }

    fn diff(&self, name: &str) -> Kept {
        self.try_backup(name, BackupKind::Differential).unwrap()
    }

    fn log(&self, name: &str) -> Kept {
        self.try_backup(name, BackupKind::Log).unwrap()
    }

    fn try_restore_with(
        &self,
        kept: &Kept,
        request: &RestoreRequest,
    ) -> Result<Restored, RestoreError> {
        let readers = kept.stripes.iter().map(Vec::as_slice);
        self.instance.restore_from(request, readers)
    }

    fn try_restore(&self, name: &str, kept: &Kept) -> Result<Restored, RestoreError> {
        self.try_restore_with(kept, &RestoreRequest::new(name, kept.set.kind, Vec::new()))
    }

    fn restore(&self, name: &str, kept: &Kept) -> Restored {
        self.try_restore(name, kept).unwrap()
    }

    /// Restores a sequence; the last step recovers.
    fn restore_all(&self, name: &str, sets: &[&Kept], stop: Option<StopAt>) -> Restored {
        let (last, before) = sets.split_last().unwrap();
        for kept in before {
            let mut request = RestoreRequest::new(name, kept.set.kind, Vec::new());
            request.stop_at.clone_from(&stop);
            self.try_restore_with(kept, &request).unwrap();
        }
        let mut request = RestoreRequest::new(name, last.set.kind, Vec::new());
        request.stop_at = stop;
        request.recovery = Recovery::Recovery;
        self.try_restore_with(last, &request).unwrap()
    }

    fn rows(&self, name: &str) -> Rows {
        self.db(name).rows().unwrap()
    }
}

fn rows(of: &[(u64, &str)]) -> Rows {
    of.iter()
        .map(|(key, value)| (*key, value.as_bytes().to_vec()))
        .collect()
}

fn backup_number(error: &BackupError) -> u32 {
    error.refusal().unwrap().number()
}

fn restore_number(error: &RestoreError) -> u32 {
    error.refusal().unwrap().number()
}
