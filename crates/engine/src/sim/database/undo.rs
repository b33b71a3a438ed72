//! Rolling back: undoing the changes of transactions that did not commit.

use vab_chain::Lsn;

use super::core::{Core, Host};
use crate::error::EngineError;
use crate::sim::log::Record;
use crate::sim::page::Page;
use crate::sim::table::Table;

/// Whether undoing writes log. Standby does not: it takes everything back later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undoing {
    Logged,
    Unlogged,
}

/// What a change was, as far as undoing needs it.
enum Change {
    Row {
        page: u32,
        key: u64,
        old: Option<Vec<u8>>,
    },
    Bulk {
        first: u32,
        pages: u32,
    },
    Other,
}

impl Core {
    /// Undoes every open transaction.
    pub(crate) fn undo_all(&mut self, host: &Host, how: Undoing) -> Result<(), EngineError> {
        self.mend_bulk_pages()?;
        let open: Vec<u64> = self.active.keys().rev().copied().collect();
        for tx in open {
            match how {
                Undoing::Logged => self.roll_back(host, tx)?,
                Undoing::Unlogged => {
                    let changes = self.active.get(&tx).map(|active| active.changes.clone());
                    for lsn in changes.unwrap_or_default().into_iter().rev() {
                        self.undo(tx, lsn, how)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Empties the pages that a crash left half written in a bulk load that is to be undone.
    fn mend_bulk_pages(&mut self) -> Result<(), EngineError> {
        let changes: Vec<Lsn> = self
            .active
            .values()
            .flat_map(|a| a.changes.clone())
            .collect();
        for lsn in changes {
            let pages = self.log.read(&self.volume, lsn, |record| match record {
                Record::Bulk { first, pages, .. } => first..first.saturating_add(pages),
                _ => 0..0,
            })?;
            for id in pages {
                if self.pages.page(id, &mut self.log, &self.volume).is_err() {
                    self.pages.overwrite(Page::empty(id, Lsn::ZERO));
                }
            }
        }
        Ok(())
    }

    /// Undoes one transaction and ends it.
    pub(crate) fn roll_back(&mut self, host: &Host, tx: u64) -> Result<(), EngineError> {
        while let Some(lsn) = self.active.get(&tx).and_then(|a| a.changes.last().copied()) {
            self.undo(tx, lsn, Undoing::Logged)?;
            if let Some(active) = self.active.get_mut(&tx) {
                active.changes.pop();
            }
        }
        if self.active.remove(&tx).is_some() {
            let time = self.now(host);
            self.append(&Record::RolledBack { tx, time })?;
        }
        self.locks.release(tx);
        Ok(())
    }

    fn undo(&mut self, tx: u64, lsn: Lsn, how: Undoing) -> Result<(), EngineError> {
        let change = self.log.read(&self.volume, lsn, |record| match record {
            Record::Change { page, key, old, .. } => Change::Row {
                page,
                key,
                old: old.map(<[u8]>::to_vec),
            },
            Record::Bulk { first, pages, .. } => Change::Bulk { first, pages },
            _ => Change::Other,
        })?;
        match change {
            Change::Row { page, key, old } => {
                self.undo_row(tx, lsn, page, key, old.as_deref(), how)
            }
            Change::Bulk { first, pages } => self.undo_bulk(tx, lsn, first, pages, how),
            Change::Other => Ok(()),
        }
    }

    /// Brings a row back to what it was, wherever there is room for it now.
    fn undo_row(
        &mut self,
        tx: u64,
        undoes: Lsn,
        page: u32,
        key: u64,
        old: Option<&[u8]>,
        how: Undoing,
    ) -> Result<(), EngineError> {
        let current = self.table()?.page_of(key);
        let Some(value) = old else {
            let page = current.unwrap_or(page);
            self.undo_set(tx, undoes, page, key, None, how)?;
            self.table()?.remove(key);
            return Ok(());
        };
        let target = match current {
            Some(page) if self.fits(page, key, value)? => page,
            current => {
                if let Some(page) = current {
                    self.undo_set(tx, Lsn::ZERO, page, key, None, how)?;
                }
                self.place(key, value)?
            }
        };
        self.undo_set(tx, undoes, target, key, Some(value), how)?;
        self.table()?.put(key, target);
        Ok(())
    }

    fn undo_set(
        &mut self,
        tx: u64,
        undoes: Lsn,
        page: u32,
        key: u64,
        new: Option<&[u8]>,
        how: Undoing,
    ) -> Result<(), EngineError> {
        let lsn = match how {
            Undoing::Unlogged => None,
            Undoing::Logged => Some(self.append(&Record::Undo {
                tx,
                page,
                key,
                new,
                undoes,
            })?),
        };
        self.change(page, lsn, |page| page.set(key, new))
    }

    fn undo_bulk(
        &mut self,
        tx: u64,
        undoes: Lsn,
        first: u32,
        pages: u32,
        how: Undoing,
    ) -> Result<(), EngineError> {
        let lsn = match how {
            Undoing::Unlogged => None,
            Undoing::Logged => Some(self.append(&Record::UndoBulk {
                tx,
                first,
                pages,
                undoes,
            })?),
        };
        for id in first..first.saturating_add(pages) {
            let page = self.pages.page(id, &mut self.log, &self.volume)?;
            let keys: Vec<u64> = page.rows().map(|(key, _)| key).collect();
            let table = self.table()?;
            for key in keys {
                if table.page_of(key) == Some(id) {
                    table.remove(key);
                }
            }
            self.change(id, lsn, Page::clear)?;
        }
        Ok(())
    }

    /// Changes a page now. Without an LSN the change is one that standby takes back.
    pub(crate) fn change(
        &mut self,
        id: u32,
        lsn: Option<Lsn>,
        change: impl FnOnce(&mut Page),
    ) -> Result<(), EngineError> {
        let page = self.pages.page_mut(id, &mut self.log, &self.volume)?;
        if let Some(before) = &mut self.before {
            before.entry(id).or_insert_with(|| page.clone());
        }
        change(page);
        let room = page.room();
        if let Some(lsn) = lsn {
            page.lsn = lsn;
            self.mark(id, lsn);
        }
        self.table()?.note_room(id, room);
        Ok(())
    }

    pub(crate) fn fits(&mut self, page: u32, key: u64, value: &[u8]) -> Result<bool, EngineError> {
        let page = self.pages.page(page, &mut self.log, &self.volume)?;
        Ok(page.fits(key, value))
    }

    /// A page with room for a new row.
    pub(crate) fn place(&mut self, key: u64, value: &[u8]) -> Result<u32, EngineError> {
        for page in self.table()?.candidates() {
            if self.fits(page, key, value)? {
                return Ok(page);
            }
        }
        let page = self.pages.extend();
        self.table()?.fill = Some(page);
        Ok(page)
    }

    /// Where the rows are; reads all pages the first time.
    pub(crate) fn table(&mut self) -> Result<&mut Table, EngineError> {
        if self.table.is_none() {
            let mut table = Table::default();
            for id in 0..self.pages.count() {
                table.add(self.pages.page(id, &mut self.log, &self.volume)?);
            }
            self.table = Some(table);
        }
        Ok(self.table.get_or_insert_default())
    }
}
