//! Something to back up.

use vab_manager::ServerTime;
use vab_manager::engine::RecoveryModel;
use vab_manager::engine::sim::Database;

use super::{DATABASES, Demo, Moment, QUARTER};
use crate::commands::Failure;
use crate::print::bytes::Bytes;
use crate::print::out::outln;

/// Rows of each database at first; about 40 MiB.
const ROWS: u64 = 40_000;
/// Rows that one transaction changes.
const BATCH: u64 = 1_000;
/// Transactions of one round of work.
const TRANSACTIONS: u64 = 4;

/// A second in microseconds.
const SECOND: i64 = 1_000_000;

impl Demo {
    /// Creates both databases and fills them.
    pub(crate) fn create_databases(&self) -> Result<(), Failure> {
        for name in DATABASES {
            let database = self.instance.create_database(name, RecoveryModel::Full)?;
            for first in (0..ROWS).step_by(usize::try_from(BATCH)?) {
                change(&database, first, 0)?;
            }
            database.checkpoint()?;
            let size = database.info().data_bytes;
            outln!(
                "{name}: {} rows, {}",
                database.digest()?.rows(),
                Bytes(size)
            );
        }
        Ok(())
    }

    /// A round of transactions on both databases.
    pub(crate) fn work(&self, round: u64) -> Result<(), Failure> {
        self.clock.advance(QUARTER);
        for name in DATABASES {
            let database = self.instance.database(name)?;
            for transaction in 0..TRANSACTIONS {
                let first = (round * 7 + transaction * 3) % (ROWS / BATCH) * BATCH;
                change(&database, first, round)?;
            }
        }
        Ok(())
    }

    /// Work before and after a moment, all of which the next log backup holds.
    pub(crate) fn work_with_a_moment_to_return_to(&self) -> Result<Moment, Failure> {
        self.work(4)?;
        let database = self.instance.database(DATABASES[0])?;
        let then = database.digest()?;
        self.clock.advance(2 * SECOND);
        // A whole second, as a person would type it.
        let time = ServerTime::from_micros(self.clock.shows().as_micros() / SECOND * SECOND);
        self.clock.advance(2 * SECOND);
        self.work(5)?;
        change(&database, ROWS, 5)?;
        Ok(Moment {
            time,
            then,
            later: database.digest()?,
        })
    }
}

/// One transaction: writes a batch of rows.
fn change(database: &Database, first: u64, round: u64) -> Result<(), Failure> {
    let mut transaction = database.begin()?;
    for key in first..first + BATCH {
        let value = format!("row {key} as of round {round}; ").repeat(36);
        transaction.put(key, value.as_bytes())?;
    }
    transaction.commit()?;
    Ok(())
}
