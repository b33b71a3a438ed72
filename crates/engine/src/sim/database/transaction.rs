//! Transactions.

use std::sync::MutexGuard;

use vab_chain::Lsn;

use super::{Core, Database, WorkError};

/// A transaction. What it changed is locked until it ends; dropping it rolls it back.
#[derive(Debug)]
#[must_use = "a transaction that is dropped is rolled back"]
pub struct Transaction {
    database: Database,
    id: u64,
    generation: u64,
    over: bool,
}

impl Transaction {
    pub(crate) fn new(database: Database, id: u64, generation: u64) -> Self {
        Self {
            database,
            id,
            generation,
            over: false,
        }
    }

    /// Puts a row: adds it, or replaces the one with the same key.
    ///
    /// # Errors
    /// When the row is locked by another transaction, the value is longer than
    /// [`MAX_VALUE`](crate::sim::MAX_VALUE), or the database is not online.
    pub fn put(&mut self, key: u64, value: &[u8]) -> Result<(), WorkError> {
        self.core()?.put(&self.database.host, self.id, key, value)
    }

    /// Removes a row; `false` if there is none.
    ///
    /// # Errors
    /// When the row is locked by another transaction or the database is not online.
    pub fn delete(&mut self, key: u64) -> Result<bool, WorkError> {
        self.core()?.delete(&self.database.host, self.id, key)
    }

    /// Adds many rows at once, on pages of their own. Under the `BULK_LOGGED` and `SIMPLE` models
    /// only the numbers of the pages are logged, unless a full or differential backup runs.
    ///
    /// After an error some of the rows may be there: roll back.
    ///
    /// # Errors
    /// When a row is there already, is locked, or is too long, or the database is not online.
    pub fn bulk_load(
        &mut self,
        rows: impl IntoIterator<Item = (u64, Vec<u8>)>,
    ) -> Result<(), WorkError> {
        let mut rows = rows.into_iter();
        self.core()?
            .bulk_load(&self.database.host, self.id, &mut rows)
    }

    /// Makes the changes durable.
    ///
    /// # Errors
    /// When the database is not online or its files fail; the transaction is then rolled back.
    pub fn commit(self) -> Result<(), WorkError> {
        self.end(None).map(drop)
    }

    /// Makes the changes durable and puts a mark in the log, by which a restore can stop. Returns
    /// the log record of the mark.
    ///
    /// # Errors
    /// As [`Transaction::commit`].
    pub fn commit_marked(self, mark: &str) -> Result<Lsn, WorkError> {
        self.end(Some(mark))
    }

    /// Takes the changes back.
    ///
    /// # Errors
    /// When the files of the database fail.
    pub fn roll_back(mut self) -> Result<(), WorkError> {
        self.over = true;
        self.core()?.roll_back(&self.database.host, self.id)?;
        Ok(())
    }

    fn end(mut self, mark: Option<&str>) -> Result<Lsn, WorkError> {
        let at = self.core()?.commit(&self.database.host, self.id, mark)?;
        self.over = true;
        Ok(at)
    }

    fn core(&self) -> Result<MutexGuard<'_, Core>, WorkError> {
        let core = self.database.core();
        if core.generation != self.generation {
            return Err(WorkError::Over);
        }
        Ok(core)
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        if let Ok(mut core) = self.core()
            // If this fails, recovery does it when the database is opened again.
            && let Err(error) = core.roll_back(&self.database.host, self.id)
        {
            tracing::warn!(%error, "a transaction could not be rolled back");
        }
    }
}
