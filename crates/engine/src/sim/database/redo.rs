//! Rolling forward: applying log records to pages.

use vab_chain::Lsn;

use super::core::{Active, Core};
use super::work::BULK_PAGES;
use crate::error::EngineError;
use crate::sim::log::{Block, Record, damaged};
use crate::sim::page::Page;

impl Core {
    /// Applies the log that is there from an LSN on, up to its end, and cuts off a torn block.
    pub(crate) fn roll_forward(&mut self, from: Lsn) -> Result<(), EngineError> {
        let mut at = from;
        let mut bytes = Vec::new();
        while let Some(header) = self.log.read_block(at, &mut bytes)? {
            let block = Block::check(&bytes)?;
            for record in block.records() {
                let (lsn, record) = record?;
                if lsn >= from {
                    self.apply(lsn, &record)?;
                }
            }
            at = header.end();
        }
        self.log.cut(&self.volume, at)
    }

    /// Applies one record: to its page, if the page has not seen it, and to what is known about
    /// the database.
    pub(crate) fn apply(&mut self, lsn: Lsn, record: &Record<'_>) -> Result<(), EngineError> {
        if let Some(time) = record.time() {
            self.meta.newest = self.meta.newest.max(time);
        }
        if let Record::Commit { time, .. } = record {
            self.meta.newest_commit = self.meta.newest_commit.max(Some(*time));
        }
        match *record {
            Record::Begin { tx, .. } => {
                self.meta.next_tx = self.meta.next_tx.max(tx.saturating_add(1));
                let changes = Vec::new();
                self.active.insert(
                    tx,
                    Active {
                        begin: lsn,
                        changes,
                    },
                );
            }
            Record::Change {
                tx, page, key, new, ..
            } => {
                self.note_change(tx, lsn);
                self.redo_row(page, lsn, key, new)?;
            }
            Record::Undo {
                tx,
                page,
                key,
                new,
                undoes,
            } => {
                self.note_undo(tx, undoes);
                self.redo_row(page, lsn, key, new)?;
            }
            Record::Bulk { tx, first, pages } => {
                // The rows are on the pages already: on disk before the commit, or in the backup.
                self.note_change(tx, lsn);
                let end = self.bulk_end(lsn, first, pages)?;
                self.pages.extend_to(end);
                for page in first..end {
                    self.mark(page, lsn);
                    if self.meta.chain.is_none_or(|chain| lsn >= chain.lsn) {
                        self.meta.bulk.mark_page(page);
                    }
                }
            }
            Record::UndoBulk {
                tx,
                first,
                pages,
                undoes,
            } => {
                self.note_undo(tx, undoes);
                for page in first..self.bulk_end(lsn, first, pages)? {
                    self.redo_empty(page, lsn);
                }
            }
            Record::Commit { tx, .. } | Record::RolledBack { tx, .. } => {
                self.active.remove(&tx);
            }
            Record::Checkpoint { .. } => self.meta.checkpoint = lsn,
            Record::Fork { fork, at, .. } => {
                self.meta.fork = fork;
                self.meta.fork_point = Some(at);
                self.log.set_fork(fork);
            }
            Record::Model { model, .. } => self.meta.model = model,
        }
        Ok(())
    }

    fn note_change(&mut self, tx: u64, lsn: Lsn) {
        if let Some(active) = self.active.get_mut(&tx) {
            active.changes.push(lsn);
        }
    }

    fn note_undo(&mut self, tx: u64, undoes: Lsn) {
        if let Some(active) = self.active.get_mut(&tx)
            && active.changes.last() == Some(&undoes)
        {
            active.changes.pop();
        }
    }

    fn redo_row(
        &mut self,
        id: u32,
        lsn: Lsn,
        key: u64,
        new: Option<&[u8]>,
    ) -> Result<(), EngineError> {
        // Pages are added one after another.
        if id > self.pages.count() {
            return Err(damaged(
                lsn,
                "it changes a page beyond the end of the database",
            ));
        }
        self.pages.extend_to(id.saturating_add(1));
        let page = self.pages.page(id, &mut self.log, &self.volume)?;
        if page.lsn < lsn {
            if new.is_some_and(|new| !page.fits(key, new)) {
                return Err(damaged(lsn, "it puts a row where there is no room for it"));
            }
            let page = self.pages.page_mut(id, &mut self.log, &self.volume)?;
            page.set(key, new);
            page.lsn = lsn;
        }
        self.mark(id, lsn);
        Ok(())
    }

    /// The page behind those of a bulk load.
    fn bulk_end(&self, lsn: Lsn, first: u32, pages: u32) -> Result<u32, EngineError> {
        if first > self.pages.count() || pages > BULK_PAGES {
            return Err(damaged(
                lsn,
                "its bulk load is beyond the end of the database",
            ));
        }
        Ok(first.saturating_add(pages))
    }

    /// Empties a page of a bulk load, which may be half written.
    fn redo_empty(&mut self, page: u32, lsn: Lsn) {
        let newer = self
            .pages
            .page(page, &mut self.log, &self.volume)
            .is_ok_and(|page| page.lsn >= lsn);
        if !newer {
            self.pages.overwrite(Page::empty(page, lsn));
        }
        self.mark(page, lsn);
    }
}
