//! One database of the embedded engine.

mod backup;
mod checks;
mod core;
mod redo;
mod restore;
mod standby;
mod stop;
mod transaction;
mod undo;
mod work;

pub(crate) use backup::backup;
pub(crate) use core::{Core, Host};
pub(crate) use restore::restore_step;
pub use transaction::Transaction;
pub use work::WorkError;

use std::sync::{Arc, Mutex, MutexGuard};

use vab_chain::{Lsn, ServerTime};

use crate::engine::{DatabaseInfo, RecoveryModel, Replica};
use crate::error::EngineError;
use crate::sim::digest::Digest;
use crate::sim::lock;

/// A database of an [`Instance`](super::Instance). Clones are the same database.
#[derive(Clone, Debug)]
pub struct Database {
    pub(crate) host: Arc<Host>,
    core: Arc<Mutex<Core>>,
}

impl Database {
    pub(crate) fn new(host: Arc<Host>, core: Core) -> Self {
        Self {
            host,
            core: Arc::new(Mutex::new(core)),
        }
    }

    pub(crate) fn core(&self) -> MutexGuard<'_, Core> {
        lock(&self.core)
    }

    /// How the database stands.
    pub fn info(&self) -> DatabaseInfo {
        self.core().info()
    }

    /// Begins a transaction. Dropping it rolls it back.
    ///
    /// # Errors
    /// When the database is not online.
    pub fn begin(&self) -> Result<Transaction, WorkError> {
        let mut core = self.core();
        core.require_online()?;
        let id = core.meta.next_tx;
        core.meta.next_tx = id.saturating_add(1);
        Ok(Transaction::new(self.clone(), id, core.generation))
    }

    /// Puts one row in a transaction of its own.
    ///
    /// # Errors
    /// As [`Transaction::put`] and [`Transaction::commit`].
    pub fn put(&self, key: u64, value: &[u8]) -> Result<(), WorkError> {
        let mut transaction = self.begin()?;
        transaction.put(key, value)?;
        transaction.commit()
    }

    /// A row as of the last commit.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn row(&self, key: u64) -> Result<Option<Vec<u8>>, WorkError> {
        self.core().committed(key)
    }

    /// Gives every row to `with` as of the last commit, in the order of the keys. The database
    /// is locked meanwhile.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn each_row(&self, with: impl FnMut(u64, &[u8])) -> Result<(), WorkError> {
        self.core().each_row(with)
    }

    /// All rows as of the last commit, in the order of the keys.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn rows(&self) -> Result<Vec<(u64, Vec<u8>)>, WorkError> {
        let mut rows = Vec::new();
        self.each_row(|key, value| rows.push((key, value.to_vec())))?;
        Ok(rows)
    }

    /// A digest of all rows as of the last commit: equal for the same rows, wherever they lie.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn digest(&self) -> Result<Digest, WorkError> {
        let mut digest = Digest::default();
        self.each_row(|key, value| digest.add(key, value))?;
        Ok(digest)
    }

    /// Writes all changed pages to disk and says so in the log.
    ///
    /// # Errors
    /// When the database is not online or its files fail.
    pub fn checkpoint(&self) -> Result<Lsn, EngineError> {
        let mut core = self.core();
        core.require_online()?;
        core.checkpoint(&self.host)
    }

    /// Changes the recovery model. SIMPLE ends the log chain; leaving it needs a full or
    /// differential backup to start another.
    ///
    /// # Errors
    /// When the database is not online or is being backed up.
    pub fn set_recovery_model(&self, model: RecoveryModel) -> Result<(), EngineError> {
        self.core().set_model(&self.host, model)
    }

    /// Gives the database a part in an availability group, or none. Nothing is replicated: it
    /// only answers, and refuses backups, as that replica would.
    ///
    /// # Errors
    /// When the database is not online.
    pub fn set_replica(&self, replica: Option<Replica>) -> Result<(), EngineError> {
        let mut core = self.core();
        core.require_online()?;
        core.meta.replica = replica;
        core.save()
    }

    /// Rolls back every open transaction, as `SET SINGLE_USER WITH ROLLBACK IMMEDIATE` does.
    ///
    /// # Errors
    /// When the database is not online or its files fail.
    pub fn disconnect(&self) -> Result<(), EngineError> {
        let mut core = self.core();
        core.require_online()?;
        let open: Vec<u64> = core.active.keys().copied().collect();
        for tx in open {
            core.roll_back(&self.host, tx)?;
        }
        core.locks.clear();
        core.generation += 1;
        Ok(())
    }

    /// Where the next log record goes.
    pub fn end_of_log(&self) -> Lsn {
        self.core().end()
    }

    /// The time of the newest log record. Time in a log never goes back, even if the clock does.
    pub fn newest_record(&self) -> ServerTime {
        self.core().newest()
    }

    /// Damages a page on disk, to see what happens then. Its content in memory is lost.
    ///
    /// # Errors
    /// When the file fails.
    pub fn damage_page(&self, page: u32) -> Result<(), EngineError> {
        self.core().pages.damage(page)
    }
}
