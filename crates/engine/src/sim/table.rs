//! Where each row is, and where there is room: found by reading the pages, kept in memory.

use std::collections::{BTreeMap, BTreeSet};

use crate::sim::page::{PAGE_SIZE, Page};

/// A page with at least this much room is tried for new rows.
const ROOMY: usize = PAGE_SIZE / 4;
/// How many such pages are tried before a new one is taken.
pub(crate) const TRIES: usize = 4;

#[derive(Debug, Default)]
pub(crate) struct Table {
    pages: BTreeMap<u64, u32>,
    roomy: BTreeSet<u32>,
    /// The page that new rows go to.
    pub(crate) fill: Option<u32>,
}

impl Table {
    /// Takes note of all rows of a page.
    pub(crate) fn add(&mut self, page: &Page) {
        for (key, _) in page.rows() {
            self.pages.insert(key, page.id);
        }
        self.note_room(page.id, page.room());
    }

    pub(crate) fn page_of(&self, key: u64) -> Option<u32> {
        self.pages.get(&key).copied()
    }

    pub(crate) fn put(&mut self, key: u64, page: u32) {
        self.pages.insert(key, page);
    }

    pub(crate) fn remove(&mut self, key: u64) {
        self.pages.remove(&key);
    }

    /// Keys from one on, with their pages.
    pub(crate) fn keys_from(&self, key: u64, count: usize) -> Vec<(u64, u32)> {
        let from = self.pages.range(key..);
        from.take(count).map(|(key, page)| (*key, *page)).collect()
    }

    pub(crate) fn note_room(&mut self, page: u32, room: usize) {
        if room >= ROOMY {
            self.roomy.insert(page);
        } else {
            self.roomy.remove(&page);
        }
    }

    /// Pages to try for a new row, best first.
    pub(crate) fn candidates(&self) -> Vec<u32> {
        let fill = self.fill.into_iter();
        let roomy = self.roomy.iter().copied();
        fill.chain(roomy).take(TRIES).collect()
    }
}
