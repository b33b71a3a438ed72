//! Restoring one backup set, and ending a sequence of restores.

use vab_chain::{BackupKind, Lsn, ServerTime};

use super::Database;
use super::checks::refuse_data_after_stop;
use super::core::{Core, Host};
use super::stop::{stop_at, within};
use super::undo::Undoing;
use crate::engine::{DatabaseState, RecoveryModel};
use crate::error::{EngineError, RestoreError};
use crate::refusal::Refusal;
use crate::request::{Progress, Recovery, RestoreRequest, Restored, StopAt, StopOutcome};
use crate::sim::bytes::Take;
use crate::sim::extents::ExtentMap;
use crate::sim::log::{Block, BlockHeader};
use crate::sim::meta::{self, Base, ChainStart, Interrupted, Meta, RestoreState};
use crate::sim::page::{PAGE_SIZE, check};
use crate::sim::stream::{Frame, Kind, Set, SetHead};
use crate::sim::volume::Volume;

impl Core {
    /// An empty database that a full backup is going to be restored to.
    pub(crate) fn for_full(
        host: &Host,
        volume: Volume,
        name: &str,
        head: &SetHead,
    ) -> Result<Self, EngineError> {
        let meta = Meta {
            format: meta::FORMAT,
            name: name.to_owned(),
            database_id: host.ids.next(),
            family_id: head.family_id,
            model: head.model,
            state: DatabaseState::Restoring,
            fork: head.last_fork,
            fork_point: head.fork_point,
            checkpoint: head.checkpoint,
            scan_from: head.first_lsn,
            base: (!head.copy_only).then_some(Base {
                set: head.set,
                lsn: head.checkpoint,
            }),
            changed: ExtentMap::default(),
            bulk: ExtentMap::default(),
            chain: None,
            next_tx: head.next_tx,
            newest: head.newest,
            newest_commit: head.newest_commit,
            restore: Some(RestoreState {
                redo: head.first_lsn,
                needed: head.first_lsn,
                differential: false,
                logs: false,
                chain: None,
                data_finished: None,
                reached: None,
                interrupted: Some(interrupted(head)),
                copied: true,
            }),
            replica: None,
        };
        Self::blank(host, volume, meta)
    }

    pub(crate) fn restoring(&mut self) -> Result<&mut RestoreState, Refusal> {
        let state = self.meta.state;
        let database = &self.meta.name;
        match &mut self.meta.restore {
            Some(restore) if !self.gone => Ok(restore),
            _ => Err(Refusal::NotRestoring {
                database: database.clone(),
                state,
            }),
        }
    }

    /// Makes ready for a set that was checked.
    fn begin_step(&mut self, head: &SetHead) -> Result<(), RestoreError> {
        self.leave_standby()?;
        self.running.restore = true;
        self.table = None;
        self.restoring()?.interrupted = Some(interrupted(head));
        self.save()?;
        if head.kind != BackupKind::Log {
            self.active.clear();
            self.log.set_fork(head.last_fork);
            self.log.reset(&self.volume, head.first_lsn)?;
            self.meta.scan_from = head.first_lsn;
            self.meta.checkpoint = head.checkpoint;
            self.meta.fork = head.last_fork;
            self.meta.fork_point = head.fork_point;
            self.meta.model = head.model;
            self.meta.newest_commit = head.newest_commit;
            self.restoring()?.redo = head.first_lsn;
        }
        self.meta.next_tx = self.meta.next_tx.max(head.next_tx);
        Ok(())
    }

    /// Takes one frame of a set.
    fn take_frame(
        &mut self,
        head: &SetHead,
        frame: &Frame,
        roll: &mut Roll<'_>,
    ) -> Result<(), RestoreError> {
        match frame.kind {
            Kind::Pages => self.take_pages(head, &frame.payload, roll.damaged_too),
            Kind::Log => self.take_log(head, &frame.payload, roll),
            Kind::Head | Kind::Tail => Err(unsound("a frame is in the wrong place")),
        }
    }

    fn take_pages(
        &mut self,
        head: &SetHead,
        payload: &[u8],
        damaged_too: bool,
    ) -> Result<(), RestoreError> {
        let short = |_| unsound("a frame of pages is too short");
        let mut from = Take(payload);
        let count = from.u32().map_err(short)?;
        let mut ids = Vec::new();
        for _ in 0..count {
            ids.push(from.u32().map_err(short)?);
        }
        if from.0.len() != ids.len().saturating_mul(PAGE_SIZE) {
            return Err(unsound(
                "a frame of pages has another length than its pages",
            ));
        }
        let mut end = self.pages.count();
        for (id, image) in ids.iter().zip(from.0.chunks(PAGE_SIZE)) {
            // A full or differential has every page that it adds; a log adds the others later.
            if *id >= head.pages || (*id > end && head.kind != BackupKind::Log) {
                return Err(unsound("a page is beyond the end of the database"));
            }
            end = end.max(id.saturating_add(1));
            if check(*id, image).is_err() && !damaged_too {
                return Err(Refusal::DamagedPage {
                    database: self.meta.name.clone(),
                    page: *id,
                }
                .into());
            }
        }
        self.pages.write_images(&ids, from.0)?;
        if head.kind != BackupKind::Full {
            for id in ids {
                self.meta.changed.mark_page(id);
            }
        }
        Ok(())
    }

    fn take_log(
        &mut self,
        head: &SetHead,
        payload: &[u8],
        roll: &mut Roll<'_>,
    ) -> Result<(), RestoreError> {
        let mut rest = payload;
        while !rest.is_empty() {
            let size = BlockHeader::peek_length(rest).unwrap_or(usize::MAX);
            let (bytes, later) = rest
                .split_at_checked(size)
                .ok_or_else(|| unsound("a log block is not whole"))?;
            rest = later;
            let block = Block::check(bytes).map_err(|_| unsound("a log block is damaged"))?;
            if roll.stopped.is_none() {
                self.take_block(head, &block, roll)?;
            }
        }
        Ok(())
    }

    /// Adds a log block to the log and applies what is new of it, up to the stop.
    fn take_block(
        &mut self,
        head: &SetHead,
        block: &Block<'_>,
        roll: &mut Roll<'_>,
    ) -> Result<(), RestoreError> {
        let header = block.header;
        let redo = self.restoring()?.redo;
        if header.end() <= redo {
            return Ok(());
        }
        let follows = header.continues == (redo.vlf(), redo.block()) && redo.slot() <= 1;
        if header.lsn(1) > redo && !follows {
            return Err(unsound("a log block is missing"));
        }
        for record in block.records() {
            let (lsn, record) = record.map_err(|_| unsound("a log record cannot be read"))?;
            if lsn >= redo {
                roll.stopped = roll.stop.and_then(|stop| stop_at(stop, lsn, &record));
            }
            if roll.stopped.is_some() {
                break;
            }
        }
        if roll.stopped == Some(header.lsn(1)) {
            // Nothing of this block is applied. It may be the first of a new fork: the database
            // stands at the end of what was before, not here. That is the fork point, and not the
            // end of the block that was cut there: the older fork may have more in that block.
            let left = head
                .fork_point
                .filter(|_| self.meta.fork == head.first_fork);
            let at = left.map_or(redo, |left| redo.min(left));
            self.restoring()?.redo = at;
            roll.stopped = Some(at);
            return Ok(());
        }
        self.log.restore(&self.volume, block, roll.stopped)?;
        let end = roll.stopped.unwrap_or_else(|| header.end());
        for record in block.records() {
            let (lsn, record) = record.map_err(|_| unsound("a log record cannot be read"))?;
            if lsn >= redo && lsn < end {
                self.apply(lsn, &record)?;
            }
        }
        self.restoring()?.redo = end;
        Ok(())
    }

    /// The set is whole: the sequence stands at its end, or at the stop.
    fn end_step(
        &mut self,
        head: &SetHead,
        last: Lsn,
        finished: ServerTime,
        roll: &Roll<'_>,
    ) -> Result<StopOutcome, RestoreError> {
        let reached_lsn = self.restoring()?.redo;
        let end = roll.stopped.unwrap_or(last);
        if reached_lsn < end {
            return Err(unsound("its log ends before the set does"));
        }
        if head.kind != BackupKind::Log {
            if self.pages.count() < head.pages {
                return Err(unsound("pages are missing"));
            }
            refuse_data_after_stop(head, finished, last, roll.stop)?;
        }
        let model = self.meta.model;
        let (fork, newest_commit) = (self.meta.fork, self.meta.newest_commit);
        let restore = self.restoring()?;
        restore.interrupted = None;
        restore.reached = newest_commit;
        if head.kind == BackupKind::Log {
            restore.logs = true;
            let chain = |lsn, fork| ChainStart {
                lsn,
                fork,
                begins: false,
            };
            match (roll.stopped, head.fork_point) {
                (None, _) => restore.chain = Some(chain(last, fork)),
                // One log backup can tell of one fork only: it begins behind this one.
                (Some(stop), Some(point)) if stop > point => {
                    restore.chain = Some(chain(point, fork));
                }
                // It will hold what was applied of this log once more.
                (Some(_), _) => {}
            }
        } else {
            restore.needed = last;
            restore.differential = head.kind == BackupKind::Differential;
            restore.data_finished = Some(finished);
            let goes_on = head.chain.is_some() || !head.copy_only;
            let chain = ChainStart {
                lsn: last,
                fork,
                begins: false,
            };
            restore.chain = Some(chain).filter(|_| goes_on && model != RecoveryModel::Simple);
        }
        let redo = restore.redo;
        let begins = self.active.values().map(|active| active.begin);
        self.meta.scan_from = begins.min().unwrap_or(redo).min(redo);
        self.pages.flush(&mut self.log, &self.volume)?;
        self.log.sync(&self.volume)?;
        self.save()?;
        self.truncate()?;
        Ok(match roll.stop {
            None => StopOutcome::NotAsked,
            Some(_) if roll.stopped.is_some() => StopOutcome::Reached,
            Some(stop) if within(stop, head, redo) => StopOutcome::Reached,
            Some(_) => StopOutcome::Beyond,
        })
    }

    /// Brings a restoring database online: what did not commit is undone, on a new fork.
    pub(crate) fn bring_online(&mut self, host: &Host) -> Result<(), RestoreError> {
        let database = self.meta.name.clone();
        self.require_idle()?;
        let restore = self.restoring()?.clone();
        if let Some(Interrupted { set, .. }) = restore.interrupted {
            return Err(Refusal::Interrupted {
                database,
                set: set.into(),
            }
            .into());
        }
        if restore.redo < restore.needed {
            return Err(Refusal::NotConsistent {
                database,
                redo: restore.redo,
                needed: restore.needed,
            }
            .into());
        }
        self.leave_standby()?;
        self.new_fork(host, restore.redo)?;
        self.log.sync(&self.volume)?;
        self.meta.state = DatabaseState::Online;
        self.meta.chain = restore.chain;
        self.meta.bulk = ExtentMap::default();
        self.meta.restore = None;
        // From here on a crash leaves an online database, which recovers when it is opened.
        self.save()?;
        self.table = None;
        self.undo_all(host, Undoing::Logged)?;
        self.checkpoint(host)?;
        Ok(())
    }

    /// How a restoring, readable or just recovered database stands.
    pub(crate) fn restored(&self, stop: StopOutcome) -> Restored {
        let meta = &self.meta;
        let redo = match (&meta.restore, meta.fork_point) {
            (Some(restore), _) => restore.redo,
            (None, Some(point)) => point,
            (None, None) => self.end(),
        };
        let mut restored = Restored::new(meta.state, stop, redo);
        restored.fork = Some(meta.fork.into());
        restored.reached = meta.newest_commit;
        restored
    }
}

/// Rolling forward with a stop.
struct Roll<'r> {
    stop: Option<&'r StopAt>,
    /// The first record that is not applied because of the stop.
    stopped: Option<Lsn>,
    damaged_too: bool,
}

/// Restores one set into a database that is ready for it.
pub(crate) fn restore_step(
    database: &Database,
    mut set: Set<'_>,
    request: &RestoreRequest,
) -> Result<Restored, RestoreError> {
    let host = &database.host;
    let head = set.head.clone();
    {
        let mut core = database.core();
        core.check_set(&head, request.stop_at.as_ref())?;
        if head.kind == BackupKind::Full {
            refuse_data_after_stop(
                &head,
                head.started,
                head.checkpoint,
                request.stop_at.as_ref(),
            )?;
        }
        core.begin_step(&head)?;
    }
    let outcome = apply_set(database, &head, &mut set, request);
    let mut core = database.core();
    core.running.restore = false;
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => {
            core.save()?;
            return Err(error);
        }
    };
    match request.recovery {
        Recovery::NoRecovery => {}
        // The stop may be in a later log: stay restoring.
        Recovery::Recovery if outcome == StopOutcome::Beyond => {}
        Recovery::Recovery => core.bring_online(host)?,
        Recovery::Standby => core.enter_standby(host)?,
    }
    let mut restored = core.restored(outcome);
    restored.set = Some(head.set.into());
    Ok(restored)
}

fn apply_set(
    database: &Database,
    head: &SetHead,
    set: &mut Set<'_>,
    request: &RestoreRequest,
) -> Result<StopOutcome, RestoreError> {
    let stop = request.stop_at.as_ref();
    let mut roll = Roll {
        // A full or differential is always applied to its end.
        stop: stop.filter(|_| head.kind == BackupKind::Log),
        stopped: None,
        damaged_too: request.continue_after_error,
    };
    let mut progress = Progress {
        bytes: 0,
        total: u64::from(head.pages) * PAGE_SIZE as u64,
    };
    while let Some(frame) = set.next()? {
        database.core().take_frame(head, &frame, &mut roll)?;
        progress.bytes += frame.payload.len() as u64;
        progress.total = progress.total.max(progress.bytes);
        request.progress.tell(progress);
    }
    let tail = set.finish()?;
    roll.stop = stop;
    database
        .core()
        .end_step(head, tail.last_lsn, tail.finished, &roll)
}

pub(super) fn interrupted(head: &SetHead) -> Interrupted {
    Interrupted {
        set: head.set,
        kind: head.kind,
    }
}

fn unsound(reason: &str) -> RestoreError {
    RestoreError::Engine(EngineError::Damaged {
        what: "the backup set".to_owned(),
        reason: reason.to_owned(),
    })
}
