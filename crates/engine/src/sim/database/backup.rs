//! Backing up a database.

use std::ops::Range;

use vab_chain::{BackupKind, BackupSet, Lsn, ServerTime};

use super::Database;
use super::core::{Core, Host};
use crate::engine::{DatabaseState, RecoveryModel};
use crate::error::{BackupError, EngineError};
use crate::refusal::Refusal;
use crate::request::{BackupRequest, Progress, Tail};
use crate::sim::bytes::{Put, small_u16, small_u32};
use crate::sim::extents::ExtentMap;
use crate::sim::log::damaged;
use crate::sim::meta::{Base, ChainStart, RestoreState};
use crate::sim::page::PAGE_SIZE;
use crate::sim::stream::{
    FRAME_DATA, Kind, SetHead, SetTail, Sink, Stripes, write_head, write_tail,
};

/// Pages of one frame.
const FRAME_PAGES: usize = FRAME_DATA / PAGE_SIZE;

/// Backs up a database. `open` gives the stripes once the database has agreed.
pub(crate) fn backup<S: Sink>(
    database: &Database,
    request: &BackupRequest,
    open: impl FnOnce() -> Result<S, BackupError>,
) -> Result<BackupSet, BackupError> {
    let host = &database.host;
    let mut job = database.core().begin_backup(host, request)?;
    let done = open().and_then(|mut sink| {
        let stripes = small_u16(sink.stripes());
        let tail = Writer {
            database,
            request,
            job: &mut job,
            stripes: Stripes::new(&mut sink),
            progress: Progress::default(),
            damaged: false,
        }
        .run()?;
        Ok((tail, stripes))
    });
    let mut core = database.core();
    match done {
        Ok((tail, stripes)) => {
            core.end_backup(host, request, &job, &tail)?;
            Ok(facts(host, &job.head, &tail, stripes))
        }
        Err(error) => {
            core.abandon_backup(&job);
            Err(error)
        }
    }
}

/// A backup that was agreed to.
#[derive(Debug)]
struct Job {
    head: SetHead,
    pages: Vec<Range<u32>>,
    /// The bulk-changed extents that a log backup takes over.
    bulk: ExtentMap,
}

impl Job {
    fn is_log(&self) -> bool {
        self.head.kind == BackupKind::Log
    }

    fn page_count(&self) -> u64 {
        self.pages.iter().map(|run| run.len() as u64).sum()
    }
}

impl Core {
    fn begin_backup(&mut self, host: &Host, request: &BackupRequest) -> Result<Job, BackupError> {
        self.require_online()?;
        if self.running.restore {
            return Err(self.busy().into());
        }
        if self.meta.replica.is_some_and(|replica| replica.secondary) {
            check_secondary(request)?;
        }
        match request.kind {
            BackupKind::Full | BackupKind::Differential => self.begin_data(host, request),
            BackupKind::Log => self.begin_log(host, request),
        }
    }

    fn begin_data(&mut self, host: &Host, request: &BackupRequest) -> Result<Job, BackupError> {
        if self.running.data.is_some() {
            return Err(self.busy().into());
        }
        if request.tail != Tail::KeepOnline {
            return Err(Refusal::NotAllowed {
                what: "NORECOVERY and STANDBY are options of a log backup",
                number: 3032,
            }
            .into());
        }
        let differential = request.kind == BackupKind::Differential;
        if differential && self.meta.base.is_none() {
            return Err(Refusal::NoDifferentialBase {
                database: self.meta.name.clone(),
            }
            .into());
        }
        let started = self.now(host);
        let checkpoint = self.checkpoint(host)?;
        let count = self.pages.count();
        let pages = if differential {
            runs(&self.meta.changed.pages(count))
        } else {
            std::iter::once(0..count).collect()
        };
        let copy_only = request.copy_only && !differential;
        if !differential && !copy_only {
            self.running.since_full = Some(ExtentMap::default());
        }
        let mut head = self.head(host, request.kind, copy_only, started);
        head.first_lsn = self.meta.scan_from.min(checkpoint);
        head.checkpoint = checkpoint;
        head.base = self.meta.base.filter(|_| differential);
        self.running.data = Some(head.first_lsn);
        Ok(Job {
            head,
            pages,
            bulk: ExtentMap::default(),
        })
    }

    fn begin_log(&mut self, host: &Host, request: &BackupRequest) -> Result<Job, BackupError> {
        if self.running.log.is_some() {
            return Err(self.busy().into());
        }
        if self.meta.model == RecoveryModel::Simple {
            return Err(Refusal::LogBackupInSimple {
                database: self.meta.name.clone(),
                model: self.meta.model,
            }
            .into());
        }
        let Some(chain) = self.meta.chain else {
            return Err(Refusal::NoCurrentBackup {
                database: self.meta.name.clone(),
            }
            .into());
        };
        if request.tail != Tail::KeepOnline {
            self.require_alone()?;
            if self.running.data.is_some() {
                return Err(self.busy().into());
            }
        }
        let started = self.now(host);
        let mut head = self.head(host, request.kind, request.copy_only, started);
        head.first_lsn = chain.lsn;
        head.first_fork = chain.fork;
        head.fork_point = self
            .meta
            .fork_point
            .filter(|_| chain.fork != self.meta.fork);
        head.tail = request.tail != Tail::KeepOnline;
        self.running.log = Some(chain.lsn);
        if head.tail {
            // Nothing may be logged after the tail.
            self.meta.state = DatabaseState::Restoring;
        }
        Ok(Job {
            head,
            pages: Vec::new(),
            bulk: ExtentMap::default(),
        })
    }

    /// Decides where a log backup ends, once its devices are there. Extents that bulk work
    /// changed are in it as they are at that end: nobody may work before they are copied.
    fn end_of_log_backup(&mut self, host: &Host, job: &mut Job) -> Result<(), EngineError> {
        self.log.sync(&self.volume)?;
        job.head.started = self.now(host);
        job.head.newest = self.meta.newest;
        job.head.newest_commit = self.meta.newest_commit;
        job.head.model = self.meta.model;
        job.head.next_tx = self.meta.next_tx;
        job.head.last_lsn = Some(self.end());
        job.head.bulk_logged = !self.meta.bulk.is_empty();
        job.bulk = std::mem::take(&mut self.meta.bulk);
        job.pages = runs(&job.bulk.pages(self.pages.count()));
        Ok(())
    }

    fn head(&self, host: &Host, kind: BackupKind, copy_only: bool, started: ServerTime) -> SetHead {
        let meta = &self.meta;
        SetHead {
            set: host.ids.next(),
            stripe: 0,
            stripes: 1,
            kind,
            copy_only,
            database: meta.name.clone(),
            server: host.server.clone(),
            database_id: meta.database_id,
            family_id: meta.family_id,
            model: meta.model,
            started,
            newest: meta.newest,
            newest_commit: meta.newest_commit,
            first_lsn: meta.checkpoint,
            last_lsn: None,
            checkpoint: meta.checkpoint,
            first_fork: meta.fork,
            last_fork: meta.fork,
            fork_point: None,
            base: None,
            // The checkpoint LSN of the last full; also of a full itself.
            database_backup: meta.base.map(|base| base.lsn),
            bulk_logged: false,
            tail: false,
            pages: self.pages.count(),
            next_tx: meta.next_tx,
            chain: meta.chain,
        }
    }

    /// The set is whole at the other side: what depends on it may change now.
    fn end_backup(
        &mut self,
        host: &Host,
        request: &BackupRequest,
        job: &Job,
        tail: &SetTail,
    ) -> Result<(), EngineError> {
        if job.is_log() {
            self.end_log(request, job, tail);
        } else {
            self.end_data(job);
        }
        self.save()?;
        if job.is_log() && request.tail == Tail::Standby {
            self.enter_standby(host)?;
        }
        if self.meta.state == DatabaseState::Online && self.meta.chain.is_some() {
            self.truncate()?;
        }
        Ok(())
    }

    fn end_data(&mut self, job: &Job) {
        let head = &job.head;
        self.running.data = None;
        if head.kind == BackupKind::Full && !head.copy_only {
            self.meta.changed = self.running.since_full.take().unwrap_or_default();
            self.meta.base = Some(Base {
                set: head.set,
                lsn: head.checkpoint,
            });
        }
        let starts_chain = !head.copy_only && self.meta.model != RecoveryModel::Simple;
        if self.meta.chain.is_none() && starts_chain {
            self.meta.chain = Some(ChainStart {
                lsn: head.first_lsn,
                fork: self.meta.fork,
                begins: true,
            });
        }
    }

    fn end_log(&mut self, request: &BackupRequest, job: &Job, tail: &SetTail) {
        self.running.log = None;
        let end = ChainStart {
            lsn: tail.last_lsn,
            fork: job.head.last_fork,
            begins: false,
        };
        if job.head.copy_only {
            self.keep_bulk(job);
        } else {
            self.meta.chain = Some(end);
        }
        if request.tail != Tail::KeepOnline {
            self.table = None;
            self.meta.restore = Some(RestoreState {
                redo: tail.last_lsn,
                needed: tail.last_lsn,
                differential: false,
                logs: true,
                chain: self.meta.chain,
                data_finished: None,
                reached: job.head.newest_commit,
                interrupted: None,
                copied: false,
            });
        }
    }

    /// The backup failed: everything is as if it had not been begun.
    fn abandon_backup(&mut self, job: &Job) {
        if job.is_log() {
            self.running.log = None;
            self.keep_bulk(job);
            self.meta.state = DatabaseState::Online;
        } else {
            self.running.data = None;
            self.running.since_full = None;
        }
    }

    fn keep_bulk(&mut self, job: &Job) {
        self.meta.bulk.merge(&job.bulk);
    }
}

/// What a secondary replica gives.
fn check_secondary(request: &BackupRequest) -> Result<(), Refusal> {
    match (request.kind, request.copy_only) {
        (BackupKind::Full, true) | (BackupKind::Log, false) => Ok(()),
        _ => Err(Refusal::NotAllowed {
            what: "a secondary replica gives copy-only full backups and ordinary log backups only",
            number: 3059,
        }),
    }
}

/// Writes the stripes of one backup.
struct Writer<'w> {
    database: &'w Database,
    request: &'w BackupRequest,
    job: &'w mut Job,
    stripes: Stripes<'w>,
    progress: Progress,
    damaged: bool,
}

impl Writer<'_> {
    fn run(mut self) -> Result<SetTail, BackupError> {
        self.job.head.stripes = small_u16(self.stripes.sink.stripes());
        let last_lsn = if self.job.is_log() {
            let mut core = self.database.core();
            core.end_of_log_backup(&self.database.host, self.job)?;
            self.begin()?;
            self.pages(Some(&mut core))?;
            core.end()
        } else {
            self.begin()?;
            self.pages(None)?;
            // Pages were copied while work went on: the log up to here makes them agree.
            let mut core = self.database.core();
            let core = &mut *core;
            core.log.sync(&core.volume)?;
            core.end()
        };
        self.log(self.job.head.first_lsn, last_lsn)?;
        let finished = self.database.core().now(&self.database.host);
        let tail = SetTail {
            set: self.job.head.set,
            frames: self.stripes.dealt(),
            last_lsn,
            finished,
            damaged: self.damaged,
        };
        write_tail(self.stripes.sink, &tail)?;
        Ok(tail)
    }

    fn begin(&mut self) -> Result<(), BackupError> {
        write_head(self.stripes.sink, &self.job.head)?;
        self.progress.total = self.job.page_count() * PAGE_SIZE as u64;
        self.tell(0);
        Ok(())
    }

    /// Deals the pages; `held` is the database if it is to stand still meanwhile.
    fn pages(&mut self, mut held: Option<&mut Core>) -> Result<(), BackupError> {
        let mut ids = self.job.pages.clone().into_iter().flatten();
        loop {
            let chunk: Vec<u32> = ids.by_ref().take(FRAME_PAGES).collect();
            if chunk.is_empty() {
                return Ok(());
            }
            let payload = match &mut held {
                Some(core) => self.copy_pages(core, &chunk)?,
                None => self.copy_pages(&mut self.database.core(), &chunk)?,
            };
            let bytes = payload.len() as u64;
            self.stripes.deal(Kind::Pages, payload)?;
            self.tell(bytes);
        }
    }

    fn copy_pages(&mut self, core: &mut Core, ids: &[u32]) -> Result<Vec<u8>, BackupError> {
        let mut payload = Vec::with_capacity(4 + ids.len() * (4 + PAGE_SIZE));
        payload.put(&small_u32(ids.len()).to_le_bytes());
        for id in ids {
            payload.put(&id.to_le_bytes());
        }
        for id in ids {
            let sound = core.pages.copy(*id, &mut payload)?;
            if !sound && self.request.checksum && !self.request.continue_after_error {
                return Err(Refusal::DamagedPage {
                    database: core.meta.name.clone(),
                    page: *id,
                }
                .into());
            }
            self.damaged |= !sound;
        }
        Ok(payload)
    }

    /// Deals the log blocks that hold the records from `from` to before `end`.
    fn log(&mut self, from: Lsn, end: Lsn) -> Result<(), BackupError> {
        let mut at = from;
        let mut block = Vec::new();
        let mut payload: Vec<u8> = Vec::new();
        while at < end {
            let mut core = self.database.core();
            let log = &mut core.log;
            while at < end && payload.len() < FRAME_DATA {
                let Some(header) = log.read_block(at, &mut block)? else {
                    break;
                };
                payload.put(&block);
                at = header.end();
            }
            drop(core);
            if payload.is_empty() {
                break;
            }
            let bytes = payload.len() as u64;
            self.progress.total += bytes;
            self.stripes.deal(Kind::Log, std::mem::take(&mut payload))?;
            self.tell(bytes);
        }
        if at < end {
            return Err(damaged(at, "log that the backup needs is missing").into());
        }
        Ok(())
    }

    fn tell(&mut self, bytes: u64) {
        self.progress.bytes += bytes;
        self.progress.total = self.progress.total.max(self.progress.bytes);
        self.request.progress.tell(self.progress);
    }
}

/// What the engine says about the set.
fn facts(host: &Host, head: &SetHead, tail: &SetTail, stripes: u16) -> BackupSet {
    let lsns = head.first_lsn..tail.last_lsn;
    let id = head.set.into();
    let (started, finished) = (head.started, tail.finished);
    let mut set = BackupSet::new(
        id,
        head.database.as_str(),
        head.kind,
        lsns,
        started,
        finished,
    );
    set.server.clone_from(&head.server);
    set.copy_only = head.copy_only;
    set.checkpoint_lsn = head.checkpoint;
    set.database_backup_lsn = head.database_backup.unwrap_or(Lsn::ZERO);
    set.differential_base = head.base.map(|base| vab_chain::DifferentialBase {
        id: Some(base.set.into()),
        lsn: base.lsn,
    });
    set.first_fork = Some(head.first_fork.into());
    set.last_fork = Some(head.last_fork.into());
    set.fork_point = head.fork_point;
    set.database_id = Some(head.database_id.into());
    set.family_id = Some(head.family_id.into());
    set.flags.begins_log_chain =
        head.kind == BackupKind::Log && head.chain.is_some_and(|chain| chain.begins);
    set.flags.bulk_logged = head.bulk_logged;
    set.flags.tail = head.tail;
    set.flags.damaged = tail.damaged;
    set.flags.checksums = true;
    set.utc_offset = host.utc_offset;
    set.stripes = stripes;
    set
}

/// Page numbers in order, as runs.
fn runs(pages: &[u32]) -> Vec<Range<u32>> {
    let runs = pages.chunk_by(|a, b| a + 1 == *b);
    runs.filter_map(|run| Some(*run.first()?..run.last()? + 1))
        .collect()
}
