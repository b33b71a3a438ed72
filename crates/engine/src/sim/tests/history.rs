//! Random histories: whatever the engine accepts gives the rows of that place in the log.
//!
//! The test keeps its own truth: the rows after each commit, by recovery fork and LSN, and from
//! where each fork left the one before. It knows nothing of how logs follow each other.

use std::collections::BTreeMap;

use proptest::prelude::*;
use vab_chain::{ForkId, Lsn};

use super::*;
use crate::engine::{DatabaseState, Engine};
use crate::request::{RecoverRequest, StopOutcome, Tail};
use crate::sim::Transaction;

#[derive(Debug, Clone)]
enum Step {
    Put(u64, u16),
    Delete(u64),
    /// Opens a transaction, or changes a row in the open one.
    OpenPut(u64, u16),
    OpenEnd(bool),
    Bulk(u64),
    Checkpoint,
    Backup(BackupKind, bool),
    Foreign(BackupKind),
    Model(RecoveryModel),
    /// Restores the n-th full and sets after it but those in `skip`, stopping at the n-th moment
    /// after that full, in place of the database or not.
    Restore {
        full: usize,
        skip: u64,
        stop: Option<usize>,
        over: bool,
        standby: bool,
    },
    Tail,
}

fn kind() -> impl Strategy<Value = BackupKind> {
    prop_oneof![
        1 => Just(BackupKind::Full),
        1 => Just(BackupKind::Differential),
        3 => Just(BackupKind::Log),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..12u64, 0..3000u16).prop_map(|(key, size)| Step::Put(key, size)),
        2 => (0..12u64).prop_map(Step::Delete),
        3 => (20..26u64, 0..3000u16).prop_map(|(key, size)| Step::OpenPut(key, size)),
        2 => any::<bool>().prop_map(Step::OpenEnd),
        1 => (1..4u64).prop_map(Step::Bulk),
        1 => Just(Step::Checkpoint),
        8 => (kind(), prop::bool::weighted(0.2)).prop_map(|(k, c)| Step::Backup(k, c)),
        1 => kind().prop_map(Step::Foreign),
        1 => prop_oneof![
            1 => Just(RecoveryModel::Simple),
            2 => Just(RecoveryModel::Full),
            2 => Just(RecoveryModel::BulkLogged)
        ]
        .prop_map(Step::Model),
        5 => (
            0..64usize,
            any::<[u64; 2]>(),
            prop::option::of(0..256usize),
            any::<bool>(),
            prop::bool::weighted(0.3),
        )
            .prop_map(|(full, skip, stop, over, standby)| Step::Restore {
                full,
                skip: skip[0] & skip[1],
                stop,
                over,
                standby,
            }),
        1 => Just(Step::Tail),
    ]
}

type State = BTreeMap<u64, Vec<u8>>;

/// Each row's key, first byte (every value is of one byte) and length: short to read.
fn brief(rows: &State) -> Vec<(u64, Option<u8>, usize)> {
    rows.iter()
        .map(|(key, value)| (*key, value.first().copied(), value.len()))
        .collect()
}

/// What is true about one branch of recovery.
#[derive(Default, Clone)]
struct Branch {
    /// The branch before, and where this one left it.
    from: Option<(ForkId, Lsn)>,
    /// The end of the log after each commit, its time, and the rows then.
    commits: Vec<(Lsn, ServerTime, State)>,
}

struct History {
    world: World,
    branches: BTreeMap<ForkId, Branch>,
    rows: State,
    open: Option<(Transaction, State)>,
    kept: Vec<Kept>,
    moments: Vec<ServerTime>,
    next_value: u8,
    next_bulk: u64,
}

impl History {
    fn new() -> Self {
        let (world, _db) = World::with_db();
        let mut history = Self {
            world,
            branches: BTreeMap::new(),
            rows: State::new(),
            open: None,
            kept: Vec::new(),
            moments: Vec::new(),
            next_value: 0,
            next_bulk: 1000,
        };
        let fork = history.fork("db");
        history.branches.insert(fork, Branch::default());
        history
    }

    fn fork(&self, name: &str) -> ForkId {
        self.world.db(name).info().fork.unwrap()
    }

    fn value(&mut self, size: u16) -> Vec<u8> {
        self.next_value = self.next_value.wrapping_add(1);
        vec![self.next_value; usize::from(size)]
    }

    /// A second passes, then a moment that can be a stop, then another second.
    fn tick(&mut self) {
        self.world.pass(1);
        self.moments.push(self.world.clock.shows());
        self.world.pass(1);
    }

    fn committed(&mut self) {
        let fork = self.fork("db");
        let db = self.world.db("db");
        let commit = (db.end_of_log(), db.newest_record(), self.rows.clone());
        self.branches.get_mut(&fork).unwrap().commits.push(commit);
    }

    /// The rows at a place in the log.
    fn truth(&self, fork: ForkId, end: Lsn, before: Option<ServerTime>) -> State {
        let mut at = Some((fork, end));
        while let Some((fork, end)) = at {
            let branch = &self.branches[&fork];
            let found =
                branch.commits.iter().rev().find(|(lsn, time, _)| {
                    *lsn <= end && before.is_none_or(|before| *time < before)
                });
            if let Some((_, _, rows)) = found {
                return rows.clone();
            }
            at = branch.from;
        }
        State::new()
    }

    fn run(&mut self, step: &Step) {
        self.tick();
        let db = self.world.db("db");
        match *step {
            Step::Put(key, size) => {
                let value = self.value(size);
                db.put(key, &value).unwrap();
                self.rows.insert(key, value);
                self.committed();
            }
            Step::Delete(key) => {
                let mut transaction = db.begin().unwrap();
                transaction.delete(key).unwrap();
                transaction.commit().unwrap();
                self.rows.remove(&key);
                self.committed();
            }
            Step::OpenPut(key, size) => {
                let value = self.value(size);
                let (mut transaction, mut changes) = match self.open.take() {
                    Some(open) => open,
                    None => (db.begin().unwrap(), State::new()),
                };
                transaction.put(key, &value).unwrap();
                changes.insert(key, value);
                self.open = Some((transaction, changes));
            }
            Step::OpenEnd(commit) => match self.open.take() {
                Some((transaction, changes)) if commit => {
                    transaction.commit().unwrap();
                    self.rows.extend(changes);
                    self.committed();
                }
                open => drop(open),
            },
            Step::Bulk(pages) => {
                let first = self.next_bulk;
                self.next_bulk += pages * 4;
                let value = self.value(1800);
                let rows: Vec<_> = (first..self.next_bulk)
                    .map(|k| (k, value.clone()))
                    .collect();
                let mut transaction = db.begin().unwrap();
                transaction.bulk_load(rows.clone()).unwrap();
                transaction.commit().unwrap();
                self.rows.extend(rows);
                self.committed();
            }
            Step::Checkpoint => {
                db.checkpoint().unwrap();
            }
            Step::Backup(kind, copy_only) => {
                let mut request = BackupRequest::new("db", kind, Vec::new());
                request.copy_only = copy_only;
                self.kept.extend(self.world.try_backup_with(&request));
            }
            Step::Foreign(kind) => {
                let request = BackupRequest::new("db", kind, Vec::new());
                let _ = self.world.instance.backup_elsewhere(&request);
            }
            Step::Model(model) => db.set_recovery_model(model).unwrap(),
            Step::Restore {
                full,
                skip,
                stop,
                over,
                standby,
            } => self.restore(full, skip, stop, over, standby),
            Step::Tail => {
                self.open = None;
                let mut request = BackupRequest::new("db", BackupKind::Log, Vec::new());
                request.tail = Tail::NoRecovery;
                if let Ok(kept) = self.world.try_backup_with(&request) {
                    self.kept.push(kept);
                    self.recover("db");
                }
            }
        }
        let rows: State = self.world.rows("db").into_iter().collect();
        assert_eq!(brief(&rows), brief(&self.rows));
    }

    /// Restores sets one after another, as far as the engine takes them, and recovers.
    fn restore(&mut self, full: usize, skip: u64, stop: Option<usize>, over: bool, standby: bool) {
        let fulls: Vec<usize> = (0..self.kept.len())
            .filter(|n| self.kept[*n].set.kind == BackupKind::Full)
            .collect();
        if fulls.is_empty() {
            return;
        }
        let full = fulls[full % fulls.len()];
        let later = full + 1..self.kept.len();
        let wanted = |n: &usize| skip & (1 << (n % 64)) == 0;
        let is_full = |n: &usize| self.kept[*n].set.kind == BackupKind::Full;
        let sets = later.filter(|n| wanted(n) && !is_full(n));
        let chosen: Vec<usize> = std::iter::once(full).chain(sets).collect();
        let name = if over { "db" } else { "copy" };
        if over {
            self.open = None;
        }
        let finished = self.kept[full].set.finished;
        let past = self.moments.iter().filter(|moment| **moment > finished);
        let past: Vec<ServerTime> = past.copied().collect();
        let stop = stop.and_then(|n| past.get(n % past.len().max(1)).copied());
        let mut stopped = StopOutcome::NotAsked;
        let mut restored = false;
        for n in chosen {
            let kept = self.kept[n].clone();
            let mut request = RestoreRequest::new(name, kept.set.kind, Vec::new());
            request.stop_at = stop.map(StopAt::Time);
            request.replace = true;
            if standby && kept.set.kind == BackupKind::Log {
                request.recovery = Recovery::Standby;
            }
            let Ok(done) = self.world.try_restore_with(&kept, &request) else {
                continue;
            };
            stopped = done.stop;
            restored = true;
            if done.state == DatabaseState::Standby {
                let info = self.world.db(name).info();
                let truth = self.truth(info.fork.unwrap(), done.redo_lsn, None);
                let rows: State = self.world.rows(name).into_iter().collect();
                assert_eq!(brief(&rows), brief(&truth), "standby");
            }
        }
        if !restored {
            return;
        }
        let info = self.world.db(name).info();
        let (fork, redo) = (info.fork.unwrap(), info.redo_lsn.unwrap());
        let rows = self.recover(name);
        // A log that begins a fork tells nothing of what came later on the fork before: a stop
        // between the two is at the fork point.
        let at_fork = self.branches.values().any(|b| b.from == Some((fork, redo)));
        if stopped == StopOutcome::Reached && !at_fork {
            let truth = self.truth(fork, Lsn::MAX, stop);
            assert_eq!(brief(&rows), brief(&truth), "stopped at {stop:?}");
        }
        assert_eq!(brief(&rows), brief(&self.truth(fork, redo, None)));
        if over {
            self.rows = rows;
        } else {
            self.world.instance.drop_database(name).unwrap();
        }
    }

    /// Recovers and takes note of the new fork.
    fn recover(&mut self, name: &str) -> State {
        let info = self.world.db(name).info();
        let from = Some((info.fork.unwrap(), info.redo_lsn.unwrap()));
        let request = RecoverRequest::new(name);
        self.world.instance.recover(&request).unwrap();
        let commits = Vec::new();
        self.branches
            .insert(self.fork(name), Branch { from, commits });
        self.world.rows(name).into_iter().collect()
    }
}

proptest! {
    #[test]
    fn what_is_restored_is_what_was(steps in prop::collection::vec(step(), 1..60)) {
        let mut history = History::new();
        for step in &steps {
            history.run(step);
        }
    }
}
