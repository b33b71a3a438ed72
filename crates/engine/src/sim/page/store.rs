//! The data file behind a cache of pages.

use std::collections::HashMap;

use vab_chain::Lsn;

use super::{Damaged, PAGE_SIZE, Page, check};
use crate::error::EngineError;
use crate::sim::bytes::small_u32;
use crate::sim::log::Log;
use crate::sim::volume::{Storage, Volume, offset, span};

/// Pages in memory before they are written out.
const CACHE_PAGES: usize = 4096;
/// Pages written with one call.
const RUN_PAGES: usize = 64;

#[derive(Debug)]
pub(crate) struct PageStore {
    storage: Storage,
    count: u32,
    cache: HashMap<u32, Cached>,
    scratch: Vec<u8>,
}

#[derive(Debug)]
struct Cached {
    page: Page,
    dirty: bool,
}

impl PageStore {
    pub(crate) fn new(storage: Storage) -> Result<Self, EngineError> {
        let pages = usize::try_from(storage.len()?).unwrap_or(usize::MAX) / PAGE_SIZE;
        Ok(Self {
            storage,
            count: small_u32(pages),
            cache: HashMap::new(),
            scratch: Vec::new(),
        })
    }

    /// Pages of the file.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Adds an empty page.
    pub(crate) fn extend(&mut self) -> u32 {
        let id = self.count;
        self.count += 1;
        let page = Page::empty(id, Lsn::ZERO);
        self.cache.insert(id, Cached { page, dirty: true });
        id
    }

    /// Adds empty pages until there are `count`. They read as zeros until they are written.
    pub(crate) fn extend_to(&mut self, count: u32) {
        self.count = self.count.max(count);
    }

    /// A page to look at.
    pub(crate) fn page(
        &mut self,
        id: u32,
        log: &mut Log,
        volume: &Volume,
    ) -> Result<&Page, EngineError> {
        self.load(id, log, volume).map(|cached| &cached.page)
    }

    /// A page to change.
    pub(crate) fn page_mut(
        &mut self,
        id: u32,
        log: &mut Log,
        volume: &Volume,
    ) -> Result<&mut Page, EngineError> {
        let cached = self.load(id, log, volume)?;
        cached.dirty = true;
        Ok(&mut cached.page)
    }

    /// Puts a page in place of whatever is there, readable or not.
    pub(crate) fn overwrite(&mut self, page: Page) {
        self.count = self.count.max(page.id.saturating_add(1));
        self.cache.insert(page.id, Cached { page, dirty: true });
    }

    fn load(
        &mut self,
        id: u32,
        log: &mut Log,
        volume: &Volume,
    ) -> Result<&mut Cached, EngineError> {
        if self.cache.len() >= CACHE_PAGES && !self.cache.contains_key(&id) {
            self.write_dirty(log, volume)?;
            self.cache.clear();
        }
        match self.cache.entry(id) {
            std::collections::hash_map::Entry::Occupied(entry) => Ok(entry.into_mut()),
            std::collections::hash_map::Entry::Vacant(entry) => {
                self.scratch.clear();
                self.scratch.resize(PAGE_SIZE, 0);
                self.storage
                    .read_at(offset(id, PAGE_SIZE), &mut self.scratch)?;
                let page = Page::decode(id, &self.scratch).map_err(|Damaged| damaged(id))?;
                Ok(entry.insert(Cached { page, dirty: false }))
            }
        }
    }

    /// Writes all changed pages, the log before them, and makes them durable.
    pub(crate) fn flush(&mut self, log: &mut Log, volume: &Volume) -> Result<(), EngineError> {
        self.write_dirty(log, volume)?;
        self.storage.sync()
    }

    fn write_dirty(&mut self, log: &mut Log, volume: &Volume) -> Result<(), EngineError> {
        let mut dirty: Vec<u32> = self
            .cache
            .iter()
            .filter_map(|(id, cached)| cached.dirty.then_some(*id))
            .collect();
        if dirty.is_empty() {
            return Ok(());
        }
        log.sync(volume)?;
        dirty.sort_unstable();
        for run in dirty.chunk_by(|a, b| a + 1 == *b) {
            for run in run.chunks(RUN_PAGES) {
                self.write_run(run)?;
            }
        }
        Ok(())
    }

    fn write_run(&mut self, run: &[u32]) -> Result<(), EngineError> {
        self.scratch.clear();
        for id in run {
            if let Some(cached) = self.cache.get_mut(id) {
                cached.page.encode(&mut self.scratch);
                cached.dirty = false;
            }
        }
        match run.first() {
            Some(first) => self
                .storage
                .write_at(offset(*first, PAGE_SIZE), &self.scratch),
            None => Ok(()),
        }
    }

    /// Adds the bytes of a page as they are now. `Ok(false)` when the page on disk is damaged;
    /// its bytes are added all the same.
    pub(crate) fn copy(&mut self, id: u32, to: &mut Vec<u8>) -> Result<bool, EngineError> {
        if let Some(cached) = self.cache.get(&id) {
            cached.page.encode(to);
            return Ok(true);
        }
        let start = to.len();
        to.resize(start + PAGE_SIZE, 0);
        let room = to.get_mut(start..).unwrap_or_default();
        self.storage.read_at(offset(id, PAGE_SIZE), room)?;
        Ok(check(id, room).is_ok())
    }

    /// Writes page images that come from a backup, behind the cache's back.
    pub(crate) fn write_images(&mut self, ids: &[u32], images: &[u8]) -> Result<(), EngineError> {
        let mut rest = images;
        for run in ids.chunk_by(|a, b| a.checked_add(1) == Some(*b)) {
            let size = span(small_u32(run.len()), PAGE_SIZE);
            let (now, later) = rest.split_at_checked(size).unwrap_or((rest, &[]));
            rest = later;
            for id in run {
                self.cache.remove(id);
                self.count = self.count.max(id.saturating_add(1));
            }
            if let Some(first) = run.first() {
                self.storage.write_at(offset(*first, PAGE_SIZE), now)?;
            }
        }
        Ok(())
    }

    /// Damages a page on disk, for tests of what happens then.
    pub(crate) fn damage(&mut self, id: u32) -> Result<(), EngineError> {
        self.cache.remove(&id);
        self.storage
            .write_at(offset(id, PAGE_SIZE) + 100, b"\xde\xad\xbe\xef")
    }
}

fn damaged(id: u32) -> EngineError {
    EngineError::Damaged {
        what: format!("page {id}"),
        reason: "its checksum or its number is wrong".to_owned(),
    }
}
