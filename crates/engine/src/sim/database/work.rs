//! Work on rows.

use std::collections::BTreeMap;

use vab_chain::{Lsn, ServerTime};

use super::core::{Active, Core, Host};
use crate::engine::RecoveryModel;
use crate::error::EngineError;
use crate::refusal::Refusal;
use crate::sim::bytes::small_u32;
use crate::sim::log::Record;
use crate::sim::page::{MAX_VALUE, Page};

/// Why work on rows was not done.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkError {
    /// The database says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Another transaction has changed the row.
    #[error("row {key} is locked by another transaction; try again when that has ended")]
    Locked {
        /// The row's key.
        key: u64,
    },
    /// The value does not fit on a page.
    #[error("a value of {bytes} bytes is too long: at most {limit} fit on a page")]
    TooLong {
        /// Its length in bytes.
        bytes: usize,
        /// The greatest length in bytes.
        limit: usize,
    },
    /// A bulk load meets a row that is there already.
    #[error("row {key} is there already; a bulk load only adds rows")]
    Duplicate {
        /// The row's key.
        key: u64,
    },
    /// The name of a mark is too long.
    #[error("the name of a mark has at most 128 bytes, this one has {bytes}")]
    MarkTooLong {
        /// Its length in bytes.
        bytes: usize,
    },
    /// The transaction is over: rolled back because the database was taken away from it.
    #[error("the transaction is over: it was rolled back by `disconnect`; begin another")]
    Over,
    /// The database itself failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Pages of one bulk-load record.
pub(super) const BULK_PAGES: u32 = 512;
const MAX_MARK: usize = 128;

impl Core {
    pub(crate) fn put(
        &mut self,
        host: &Host,
        tx: u64,
        key: u64,
        value: &[u8],
    ) -> Result<(), WorkError> {
        self.require_online()?;
        if value.len() > MAX_VALUE {
            return Err(WorkError::TooLong {
                bytes: value.len(),
                limit: MAX_VALUE,
            });
        }
        self.lock_row(tx, key)?;
        self.begin(host, tx)?;
        let Some(page) = self.table()?.page_of(key) else {
            return self.insert(tx, key, value);
        };
        let old = self.value(page, key)?;
        if self.fits(page, key, value)? {
            return self.change_row(tx, page, key, Some(&old), Some(value));
        }
        self.change_row(tx, page, key, Some(&old), None)?;
        self.table()?.remove(key);
        self.insert(tx, key, value)
    }

    pub(crate) fn delete(&mut self, host: &Host, tx: u64, key: u64) -> Result<bool, WorkError> {
        self.require_online()?;
        self.lock_row(tx, key)?;
        let Some(page) = self.table()?.page_of(key) else {
            return Ok(false);
        };
        self.begin(host, tx)?;
        let old = self.value(page, key)?;
        self.change_row(tx, page, key, Some(&old), None)?;
        self.table()?.remove(key);
        Ok(true)
    }

    /// Adds rows on pages of their own. Only which pages is logged, unless the model is FULL or
    /// a backup of the pages runs.
    pub(crate) fn bulk_load(
        &mut self,
        host: &Host,
        tx: u64,
        rows: &mut dyn Iterator<Item = (u64, Vec<u8>)>,
    ) -> Result<(), WorkError> {
        self.require_online()?;
        let logged = self.meta.model == RecoveryModel::Full || self.running.data.is_some();
        let mut page: Option<Page> = None;
        let mut ready = Vec::new();
        for (key, value) in rows {
            if logged {
                self.put(host, tx, key, &value)?;
                continue;
            }
            self.check_bulk_row(tx, key, &value, page.as_ref())?;
            let mut current = match page.take() {
                Some(page) if page.fits(key, &value) => page,
                full => {
                    ready.extend(full);
                    if small_u32(ready.len()) >= BULK_PAGES {
                        self.bulk_pages(host, tx, std::mem::take(&mut ready))?;
                    }
                    Page::empty(0, Lsn::ZERO)
                }
            };
            current.set(key, Some(&value));
            page = Some(current);
        }
        ready.extend(page);
        if !ready.is_empty() {
            self.bulk_pages(host, tx, ready)?;
        }
        Ok(())
    }

    fn check_bulk_row(
        &mut self,
        tx: u64,
        key: u64,
        value: &[u8],
        page: Option<&Page>,
    ) -> Result<(), WorkError> {
        if value.len() > MAX_VALUE {
            return Err(WorkError::TooLong {
                bytes: value.len(),
                limit: MAX_VALUE,
            });
        }
        let held = self.locks.owner(key) == Some(tx);
        let waiting = page.is_some_and(|page| page.row(key).is_some());
        self.lock_row(tx, key)?;
        if waiting || held || self.table()?.page_of(key).is_some() {
            return Err(WorkError::Duplicate { key });
        }
        Ok(())
    }

    fn bulk_pages(&mut self, host: &Host, tx: u64, pages: Vec<Page>) -> Result<(), EngineError> {
        self.begin(host, tx)?;
        let first = self.pages.count();
        let count = small_u32(pages.len());
        let record = Record::Bulk {
            tx,
            first,
            pages: count,
        };
        let lsn = self.append(&record)?;
        if let Some(active) = self.active.get_mut(&tx) {
            active.changes.push(lsn);
        }
        for (id, mut page) in (first..).zip(pages) {
            (page.id, page.lsn) = (id, lsn);
            self.table()?.add(&page);
            self.pages.overwrite(page);
            self.mark(id, lsn);
            // Under SIMPLE too: the chain that begins next may reach back over this.
            self.meta.bulk.mark_page(id);
        }
        // Nothing else has the rows: they are on disk before the commit can be.
        self.pages.flush(&mut self.log, &self.volume)
    }

    /// Makes a transaction durable; says where its last record is, or the log's end if there was
    /// nothing to log.
    pub(crate) fn commit(
        &mut self,
        host: &Host,
        tx: u64,
        mark: Option<&str>,
    ) -> Result<Lsn, WorkError> {
        self.require_online()?;
        if let Some(bytes) = mark.map(str::len).filter(|bytes| *bytes > MAX_MARK) {
            return Err(WorkError::MarkTooLong { bytes });
        }
        if mark.is_some() {
            self.begin(host, tx)?;
        }
        let mut at = self.end();
        if self.active.contains_key(&tx) {
            let time = self.now(host);
            at = self.append(&Record::Commit { tx, time, mark })?;
            self.meta.newest_commit = Some(time);
            if host.sync_commits {
                self.log.sync(&self.volume)?;
            } else {
                self.log.flush(&self.volume)?;
            }
            self.active.remove(&tx);
            self.maybe_checkpoint(host)?;
        }
        self.locks.release(tx);
        Ok(at)
    }

    /// Writes the first record of a transaction, at its first change.
    fn begin(&mut self, host: &Host, tx: u64) -> Result<(), EngineError> {
        if self.active.contains_key(&tx) {
            return Ok(());
        }
        let time = self.now(host);
        let begin = self.append(&Record::Begin { tx, time })?;
        let changes = Vec::new();
        self.active.insert(tx, Active { begin, changes });
        Ok(())
    }

    fn lock_row(&mut self, tx: u64, key: u64) -> Result<(), WorkError> {
        if self.locks.take(tx, key) {
            Ok(())
        } else {
            Err(WorkError::Locked { key })
        }
    }

    fn insert(&mut self, tx: u64, key: u64, value: &[u8]) -> Result<(), WorkError> {
        let page = self.place(key, value)?;
        self.change_row(tx, page, key, None, Some(value))?;
        self.table()?.put(key, page);
        Ok(())
    }

    fn change_row(
        &mut self,
        tx: u64,
        page: u32,
        key: u64,
        old: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> Result<(), WorkError> {
        let record = Record::Change {
            tx,
            page,
            key,
            old,
            new,
        };
        let lsn = self.append(&record)?;
        if let Some(active) = self.active.get_mut(&tx) {
            active.changes.push(lsn);
        }
        self.change(page, Some(lsn), |page| page.set(key, new))?;
        Ok(())
    }

    fn value(&mut self, page: u32, key: u64) -> Result<Vec<u8>, EngineError> {
        let found = self.pages.page(page, &mut self.log, &self.volume)?;
        let row = found.row(key).map(<[u8]>::to_vec);
        row.ok_or_else(|| EngineError::Damaged {
            what: format!("page {page}"),
            reason: format!("row {key} is not on it"),
        })
    }

    /// A row as of the last commit.
    pub(crate) fn committed(&mut self, key: u64) -> Result<Option<Vec<u8>>, WorkError> {
        self.require_readable()?;
        if let Some(old) = self.uncommitted()?.remove(&key) {
            return Ok(old);
        }
        match self.table()?.page_of(key) {
            Some(page) => Ok(Some(self.value(page, key)?)),
            None => Ok(None),
        }
    }

    /// Gives every row as of the last commit, in the order of the keys.
    pub(crate) fn each_row(&mut self, mut with: impl FnMut(u64, &[u8])) -> Result<(), WorkError> {
        self.require_readable()?;
        let mut hidden = self.uncommitted()?;
        let mut from = Some(0);
        while let Some(start) = from {
            let keys = self.table()?.keys_from(start, 1024);
            for (key, page) in &keys {
                while let Some(entry) = hidden.first_entry().filter(|e| e.key() < key) {
                    let (key, old) = entry.remove_entry();
                    if let Some(old) = old {
                        with(key, &old);
                    }
                }
                match hidden.remove(key) {
                    Some(Some(old)) => with(*key, &old),
                    Some(None) => {}
                    None => {
                        let page = self.pages.page(*page, &mut self.log, &self.volume)?;
                        if let Some(value) = page.row(*key) {
                            with(*key, value);
                        }
                    }
                }
            }
            from = keys.last().and_then(|(key, _)| key.checked_add(1));
        }
        for (key, old) in hidden {
            if let Some(old) = old {
                with(key, &old);
            }
        }
        Ok(())
    }

    /// The rows that open transactions changed, as they were before.
    fn uncommitted(&mut self) -> Result<BTreeMap<u64, Option<Vec<u8>>>, EngineError> {
        let mut before = BTreeMap::new();
        let changes: Vec<Lsn> = match self.meta.restore {
            // Standby has undone them.
            Some(_) => Vec::new(),
            None => self
                .active
                .values()
                .flat_map(|a| a.changes.clone())
                .collect(),
        };
        for lsn in changes {
            let bulk = self.log.read(&self.volume, lsn, |record| match record {
                Record::Change { key, old, .. } => {
                    before.entry(key).or_insert_with(|| old.map(<[u8]>::to_vec));
                    0..0
                }
                Record::Bulk { first, pages, .. } => first..first.saturating_add(pages),
                _ => 0..0,
            })?;
            for page in bulk {
                let page = self.pages.page(page, &mut self.log, &self.volume)?;
                for (key, _) in page.rows() {
                    before.entry(key).or_insert(None);
                }
            }
        }
        Ok(before)
    }

    fn require_readable(&self) -> Result<(), Refusal> {
        if self.gone || self.meta.state != crate::engine::DatabaseState::Standby {
            return self.require_online();
        }
        Ok(())
    }

    /// The time of the newest log record.
    pub(crate) fn newest(&self) -> ServerTime {
        self.meta.newest
    }
}
