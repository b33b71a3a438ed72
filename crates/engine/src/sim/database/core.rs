//! One database under its lock.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;
use vab_chain::{BackupKind, DifferentialBase, Lsn, ServerTime};

use super::undo::Undoing;
use crate::engine::{DatabaseInfo, DatabaseState, RecoveryModel};
use crate::error::EngineError;
use crate::refusal::Refusal;
use crate::sim::clock::Clock;
use crate::sim::extents::ExtentMap;
use crate::sim::ids::Ids;
use crate::sim::locks::Locks;
use crate::sim::log::{FIRST_BLOCK, Log, Record};
use crate::sim::meta::{self, Meta};
use crate::sim::page::{PAGE_SIZE, Page, PageStore};
use crate::sim::table::Table;
use crate::sim::volume::Volume;

const DATA_FILE: &str = "data.pages";
/// The first virtual log file of a new database.
const FIRST_VLF: u32 = 34;
/// A checkpoint is made after this much log, in bytes.
const CHECKPOINT_EVERY: u64 = 64 << 20;

/// What all databases of an instance share.
pub(crate) struct Host {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Ids,
    pub(crate) server: String,
    pub(crate) utc_offset: Option<i16>,
    /// Bytes of a virtual log file.
    pub(crate) vlf_size: u32,
    /// Whether a commit waits for the disk.
    pub(crate) sync_commits: bool,
}

/// One database under its lock.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) meta: Meta,
    pub(crate) volume: Volume,
    pub(crate) pages: PageStore,
    pub(crate) log: Log,
    /// Built when it is first needed.
    pub(crate) table: Option<Table>,
    pub(crate) active: BTreeMap<u64, Active>,
    pub(crate) locks: Locks,
    pub(crate) running: Running,
    /// While standby changes pages: how they were before.
    pub(crate) before: Option<BTreeMap<u32, Page>>,
    /// Dropped, or replaced by a restore.
    pub(crate) gone: bool,
    /// Counts how often the open transactions were taken away from their owners.
    pub(crate) generation: u64,
}

/// A transaction that is open in the log.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) begin: Lsn,
    /// Its changes that are not undone.
    pub(crate) changes: Vec<Lsn>,
}

/// The backups that run.
#[derive(Debug, Default)]
pub(crate) struct Running {
    /// The extents that changed since a running full backup began.
    pub(crate) since_full: Option<ExtentMap>,
    /// The log from here on is kept for a running full or differential.
    pub(crate) data: Option<Lsn>,
    /// The log from here on is kept for a running log backup.
    pub(crate) log: Option<Lsn>,
    /// A restore step runs.
    pub(crate) restore: bool,
}

impl Core {
    /// A new, empty database.
    pub(crate) fn create(
        host: &Host,
        volume: Volume,
        name: &str,
        model: RecoveryModel,
    ) -> Result<Self, EngineError> {
        let id = host.ids.next();
        let at = Lsn::new(FIRST_VLF, FIRST_BLOCK, 1);
        let meta = Meta {
            format: meta::FORMAT,
            name: name.to_owned(),
            database_id: id,
            family_id: id,
            model,
            state: DatabaseState::Online,
            fork: host.ids.next(),
            fork_point: None,
            checkpoint: at,
            scan_from: at,
            base: None,
            changed: ExtentMap::default(),
            bulk: ExtentMap::default(),
            chain: None,
            next_tx: 1,
            newest: host.clock.now(),
            newest_commit: None,
            restore: None,
            replica: None,
        };
        let mut core = Self::blank(host, volume, meta)?;
        core.table = Some(Table::default());
        core.checkpoint(host)?;
        Ok(core)
    }

    /// A database of this state without pages and log.
    pub(crate) fn blank(host: &Host, volume: Volume, meta: Meta) -> Result<Self, EngineError> {
        let pages = PageStore::new(volume.create(DATA_FILE)?)?;
        let log = Log::new(host.vlf_size, meta.scan_from, meta.fork);
        Ok(Self::assemble(meta, volume, pages, log))
    }

    /// A database that lies in a folder, as the last process left it; not recovered yet.
    pub(crate) fn load(host: &Host, volume: Volume) -> Result<Self, EngineError> {
        let bytes = volume.read(meta::FILE)?;
        let damaged = |reason: String| EngineError::Damaged {
            what: meta::FILE.to_owned(),
            reason,
        };
        let meta: Meta = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
        if meta.format != meta::FORMAT {
            return Err(damaged(format!(
                "it has format {}, this program reads {}",
                meta.format,
                meta::FORMAT
            )));
        }
        let pages = PageStore::new(volume.open(DATA_FILE)?)?;
        let log = Log::open(host.vlf_size, &volume, meta.fork)?;
        Ok(Self::assemble(meta, volume, pages, log))
    }

    /// Recovers after a crash, or finds out again where a restore stands.
    pub(crate) fn recover(&mut self, host: &Host) -> Result<(), EngineError> {
        let from = self.meta.scan_from;
        let Some(restore) = self.meta.restore.clone() else {
            self.roll_forward(from)?;
            self.undo_all(host, Undoing::Logged)?;
            self.checkpoint(host)?;
            return Ok(());
        };
        self.load_standby()?;
        match restore.interrupted {
            None => {
                let end = self.log.end_at(restore.redo)?;
                self.log.cut(&self.volume, end)?;
                self.roll_forward(from)
            }
            Some(at) if at.kind == BackupKind::Log => {
                self.roll_forward(from)?;
                let end = self.end();
                if let Some(restore) = &mut self.meta.restore {
                    restore.redo = end;
                }
                Ok(())
            }
            // A differential ended in the middle: it is restored again from its begin.
            Some(_) => Ok(()),
        }
    }

    fn assemble(meta: Meta, volume: Volume, pages: PageStore, log: Log) -> Self {
        Self {
            meta,
            volume,
            pages,
            log,
            table: None,
            active: BTreeMap::new(),
            locks: Locks::default(),
            running: Running::default(),
            before: None,
            gone: false,
            generation: 0,
        }
    }

    /// Saves what is kept beside the pages and the log.
    pub(crate) fn save(&self) -> Result<(), EngineError> {
        if self.volume.is_memory() {
            return Ok(());
        }
        let bytes =
            serde_json::to_vec_pretty(&self.meta).map_err(|error| EngineError::Damaged {
                what: meta::FILE.to_owned(),
                reason: error.to_string(),
            })?;
        self.volume.replace(meta::FILE, &bytes)
    }

    /// The time for the next record: the clock's, but never before an earlier record's.
    pub(crate) fn now(&mut self, host: &Host) -> ServerTime {
        self.meta.newest = self.meta.newest.max(host.clock.now());
        self.meta.newest
    }

    pub(crate) fn append(&mut self, record: &Record<'_>) -> Result<Lsn, EngineError> {
        self.log.append(&self.volume, record)
    }

    /// Where the next record goes.
    pub(crate) fn end(&self) -> Lsn {
        self.log.end()
    }

    /// The first record of the oldest open transaction, or the end of the log.
    pub(crate) fn oldest(&self) -> Lsn {
        let begins = self.active.values().map(|active| active.begin);
        begins.min().unwrap_or_else(|| self.end())
    }

    /// Writes all pages and says so in the log.
    pub(crate) fn checkpoint(&mut self, host: &Host) -> Result<Lsn, EngineError> {
        self.pages.flush(&mut self.log, &self.volume)?;
        let time = self.now(host);
        let lsn = self.append(&Record::Checkpoint { time })?;
        self.log.sync(&self.volume)?;
        self.meta.checkpoint = lsn;
        self.meta.scan_from = self.oldest().min(lsn);
        self.forget_bulk();
        self.log.reset_written();
        self.save()?;
        self.truncate()?;
        Ok(lsn)
    }

    /// Forgets bulk work that no log backup will reach back to: without a chain, the next one
    /// begins at the oldest transaction that is open now, or that was when a running backup began.
    fn forget_bulk(&mut self) {
        let waited_for = self.meta.chain.is_some() || self.running.data.is_some();
        if !waited_for && self.active.is_empty() {
            self.meta.bulk = ExtentMap::default();
        }
    }

    /// Makes a checkpoint if there was much work since the last one.
    pub(crate) fn maybe_checkpoint(&mut self, host: &Host) -> Result<(), EngineError> {
        if self.log.written() >= CHECKPOINT_EVERY {
            self.checkpoint(host)?;
        }
        Ok(())
    }

    /// Removes the log that nothing needs any more.
    ///
    /// A log chain keeps it until a log backup has it; without one a checkpoint is enough.
    pub(crate) fn truncate(&mut self) -> Result<(), EngineError> {
        let restore = self.meta.restore.as_ref();
        let needs = [
            Some(self.meta.scan_from),
            Some(self.meta.checkpoint),
            self.meta.chain.map(|chain| chain.lsn),
            restore
                .and_then(|restore| restore.chain)
                .map(|chain| chain.lsn),
            self.running.data,
            self.running.log,
        ];
        let Some(before) = needs.into_iter().flatten().min() else {
            return Ok(());
        };
        self.log.truncate(&self.volume, before)
    }

    /// Takes note that a page was changed by a record.
    pub(crate) fn mark(&mut self, page: u32, lsn: Lsn) {
        if self.meta.base.is_some_and(|base| lsn > base.lsn) {
            self.meta.changed.mark_page(page);
        }
        if let Some(map) = &mut self.running.since_full {
            map.mark_page(page);
        }
    }

    pub(crate) fn require_online(&self) -> Result<(), Refusal> {
        if self.gone {
            return Err(Refusal::NoSuchDatabase {
                database: self.meta.name.clone(),
            });
        }
        match self.meta.state {
            DatabaseState::Online => Ok(()),
            state => Err(Refusal::NotOnline {
                database: self.meta.name.clone(),
                state,
            }),
        }
    }

    /// Refuses while transactions are open.
    pub(crate) fn require_alone(&self) -> Result<(), Refusal> {
        if self.active.is_empty() || self.meta.state != DatabaseState::Online {
            return Ok(());
        }
        Err(Refusal::InUse {
            database: self.meta.name.clone(),
            transactions: self.active.len(),
        })
    }

    /// Refuses while a backup or restore of the database runs.
    pub(crate) fn require_idle(&self) -> Result<(), Refusal> {
        let running = &self.running;
        if running.data.is_none() && running.log.is_none() && !running.restore {
            return Ok(());
        }
        Err(self.busy())
    }

    pub(crate) fn busy(&self) -> Refusal {
        Refusal::Busy {
            database: self.meta.name.clone(),
        }
    }

    /// Changes the recovery model.
    ///
    /// SIMPLE ends the log chain; leaving it needs a full or differential to start another.
    pub(crate) fn set_model(
        &mut self,
        host: &Host,
        model: RecoveryModel,
    ) -> Result<(), EngineError> {
        self.require_online()?;
        self.require_idle()?;
        if self.meta.model == model {
            return Ok(());
        }
        let time = self.now(host);
        self.append(&Record::Model { model, time })?;
        self.log.sync(&self.volume)?;
        self.meta.model = model;
        if model == RecoveryModel::Simple {
            self.meta.chain = None;
        }
        self.save()?;
        if model == RecoveryModel::Simple {
            self.checkpoint(host)?;
        }
        Ok(())
    }

    pub(crate) fn info(&self) -> DatabaseInfo {
        let meta = &self.meta;
        let mut info = DatabaseInfo::new(meta.name.clone(), meta.state, meta.model);
        info.database_id = Some(meta.database_id.into());
        info.family_id = Some(meta.family_id.into());
        info.fork = Some(meta.fork.into());
        info.last_log_backup_lsn = meta.chain.map(|chain| chain.lsn);
        info.differential_base = self.differential_base();
        info.redo_lsn = meta.restore.as_ref().map(|restore| restore.redo);
        info.data_bytes = u64::from(self.pages.count()) * PAGE_SIZE as u64;
        info.replica = meta.replica;
        info
    }

    pub(crate) fn differential_base(&self) -> Option<DifferentialBase> {
        self.meta.base.map(|base| DifferentialBase {
            id: Some(base.set.into()),
            lsn: base.lsn,
        })
    }

    pub(crate) fn new_fork(&mut self, host: &Host, at: Lsn) -> Result<(), EngineError> {
        let fork: Uuid = host.ids.next();
        self.log.fork(&self.volume, at, fork)?;
        let time = self.now(host);
        self.append(&Record::Fork { fork, at, time })?;
        self.meta.fork = fork;
        self.meta.fork_point = Some(at);
        Ok(())
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}
