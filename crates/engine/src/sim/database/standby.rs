//! Standby: a database that is readable between two restores.
//!
//! What did not commit is undone on the pages without logging it, and the pages as they were
//! before are kept, in memory and in a file, to be put back before the next restore.

use std::collections::BTreeMap;

use vab_chain::Lsn;

use super::core::{Core, Host};
use super::undo::Undoing;
use crate::engine::DatabaseState;
use crate::error::{EngineError, RestoreError};
use crate::refusal::Refusal;
use crate::sim::bytes::small_u32;
use crate::sim::meta::Interrupted;
use crate::sim::page::{PAGE_SIZE, Page};

/// The file the pages are kept in.
const FILE: &str = "standby.pages";

impl Core {
    /// Makes a restoring database readable.
    pub(crate) fn enter_standby(&mut self, host: &Host) -> Result<(), EngineError> {
        self.pages.flush(&mut self.log, &self.volume)?;
        self.table = None;
        let count = self.pages.count();
        self.before = Some(BTreeMap::new());
        self.undo_all(host, Undoing::Unlogged)?;
        // The file comes first: as long as pages in the data file may be undone ones, it is there.
        self.save_before(count)?;
        self.pages.flush(&mut self.log, &self.volume)?;
        self.meta.state = DatabaseState::Standby;
        self.save()
    }

    /// Makes a restoring database readable on its own, without another set.
    pub(crate) fn stand_by(&mut self, host: &Host) -> Result<(), RestoreError> {
        self.require_idle()?;
        let restore = self.restoring()?;
        if let Some(Interrupted { set, .. }) = restore.interrupted {
            return Err(Refusal::Interrupted {
                database: self.meta.name.clone(),
                set: set.into(),
            }
            .into());
        }
        if self.meta.state == DatabaseState::Restoring {
            self.enter_standby(host)?;
        }
        Ok(())
    }

    /// Puts the pages back; the database is restoring again.
    pub(crate) fn leave_standby(&mut self) -> Result<(), EngineError> {
        let Some(before) = self.before.take() else {
            return Ok(());
        };
        self.table = None;
        if self.meta.state == DatabaseState::Standby {
            for page in before.into_values() {
                self.pages.overwrite(page);
            }
            self.pages.flush(&mut self.log, &self.volume)?;
            self.meta.state = DatabaseState::Restoring;
            self.save()?;
        }
        self.volume.remove(FILE)
    }

    /// After the database was opened again.
    pub(crate) fn load_standby(&mut self) -> Result<(), EngineError> {
        if self.meta.state != DatabaseState::Standby {
            return self.volume.remove(FILE);
        }
        let bytes = self.volume.read(FILE)?;
        let mut before = BTreeMap::new();
        for image in bytes.chunks(4 + PAGE_SIZE) {
            let damaged = || EngineError::Damaged {
                what: FILE.to_owned(),
                reason: "a page in it is not whole".to_owned(),
            };
            let (id, image) = image.split_first_chunk::<4>().ok_or_else(damaged)?;
            let id = u32::from_le_bytes(*id);
            let page = Page::decode(id, image).map_err(|_| damaged())?;
            before.insert(id, page);
        }
        self.before = Some(before);
        Ok(())
    }

    /// Pages that undoing added are empty ones when they are put back.
    fn save_before(&mut self, count: u32) -> Result<(), EngineError> {
        let added = count..self.pages.count();
        let mut bytes = Vec::new();
        if let Some(before) = &mut self.before {
            for id in added {
                before.insert(id, Page::empty(id, Lsn::ZERO));
            }
            for (id, page) in before.iter() {
                bytes.extend_from_slice(&id.to_le_bytes());
                page.encode(&mut bytes);
            }
        }
        debug_assert_eq!(small_u32(bytes.len()) % small_u32(4 + PAGE_SIZE), 0);
        self.volume.replace(FILE, &bytes)
    }
}
