//! A random history of one database, and the truth about it.
//!
//! The truth is the rows after each commit, by recovery fork, time and LSN, and where each fork
//! left the one before. It knows nothing of how backups follow each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use vab_chain::{
    BackupKind, BackupSet, Chain, ForkId, Lsn, Mark, PointId, Recovery as Recovered, RestorePoint,
    ServerTime, Unusable,
};
use vab_engine::sim::{Ids, Instance, ManualClock, Options, Transaction};
use vab_engine::{
    BackupRequest, Engine, RecoverRequest, RecoveryModel, RestoreRequest, StopAt, StopOutcome, Tail,
};

use crate::random::Random;

/// Of each row the first byte, which all its bytes are, and its length.
pub(crate) type Rows = BTreeMap<u64, (u8, usize)>;

pub(crate) const DB: &str = "db";

/// A backup that was taken.
pub(crate) struct Kept {
    pub(crate) set: BackupSet,
    pub(crate) stripes: Vec<Vec<u8>>,
    /// Whether the chain is told of it.
    pub(crate) known: bool,
    pub(crate) usable: bool,
}

impl Kept {
    pub(crate) fn point(&self) -> PointId {
        PointId(self.set.id.0)
    }
}

/// A branch of recovery.
pub(crate) struct Branch {
    pub(crate) fork: ForkId,
    /// The fork before, and where this one left it.
    pub(crate) left: Option<(ForkId, Lsn)>,
    pub(crate) born: ServerTime,
    pub(crate) reached: Option<ServerTime>,
    /// The rows at its beginning.
    first: Rows,
    /// The end of the log after each commit, its time, and the rows then.
    pub(crate) commits: Vec<(Lsn, ServerTime, Rows)>,
}

/// A transaction that was committed with a mark.
pub(crate) struct Marked {
    pub(crate) name: &'static str,
    pub(crate) fork: ForkId,
    pub(crate) lsn: Lsn,
    pub(crate) time: ServerTime,
    /// The end of the log behind it.
    pub(crate) end: Lsn,
}

pub(crate) const MARKS: [&str; 2] = ["deploy", "close"];

pub(crate) struct History {
    seed: u64,
    random: Random,
    clock: Arc<ManualClock>,
    instance: Instance,
    pub(crate) branches: Vec<Branch>,
    rows: Rows,
    open: Option<(Transaction, Rows)>,
    pub(crate) kept: Vec<Kept>,
    pub(crate) marks: Vec<Marked>,
    pub(crate) moments: Vec<ServerTime>,
    next_value: u8,
    next_bulk: u64,
}

fn start() -> ServerTime {
    ServerTime::from_micros(1_795_000_000_000_000)
}

impl Branch {
    /// The first place that only this branch has.
    pub(crate) fn begin(&self) -> Lsn {
        let left = self.left.map_or(Lsn::ZERO, |(_, left)| left);
        Lsn::new(left.vlf(), left.block(), left.slot() + 1)
    }
}

impl History {
    pub(crate) fn play(seed: u64) -> Self {
        let mut random = Random(seed);
        let clock = Arc::new(ManualClock::new(start()));
        let options = Options::with_clock(clock.clone()).ids(Ids::seeded(seed));
        let instance = Instance::memory(options);
        instance.create_database(DB, RecoveryModel::Full).unwrap();
        let steps = 12 + random.below(40);
        let mut history = Self {
            seed,
            random,
            clock,
            instance,
            branches: Vec::new(),
            rows: Rows::new(),
            open: None,
            kept: Vec::new(),
            marks: Vec::new(),
            moments: Vec::new(),
            next_value: 0,
            next_bulk: 1000,
        };
        history.branches.push(Branch {
            fork: history.fork(),
            left: None,
            born: ServerTime::from_micros(i64::MIN),
            reached: None,
            first: Rows::new(),
            commits: Vec::new(),
        });
        history.backup(BackupKind::Full, false);
        for _ in 0..steps {
            history.step();
        }
        history.tick();
        history.open = None;
        history
    }

    pub(crate) fn now(&self) -> ServerTime {
        self.clock.shows()
    }

    fn fork(&self) -> ForkId {
        self.instance.database(DB).unwrap().info().fork.unwrap()
    }

    /// A second passes, then a moment that can be a target, then another second.
    fn tick(&mut self) {
        self.clock.advance(1_000_000);
        self.moments.push(self.clock.shows());
        self.clock.advance(1_000_000);
    }

    fn step(&mut self) {
        self.tick();
        match self.random.below(100) {
            0..=27 => self.put(),
            28..=31 => self.delete(),
            32..=37 => self.put_open(),
            38..=41 => self.end_open(),
            42..=44 => self.bulk_load(),
            45..=47 => {
                self.instance.database(DB).unwrap().checkpoint().unwrap();
            }
            48..=55 => self.random_backup(BackupKind::Full),
            56..=63 => self.random_backup(BackupKind::Differential),
            64..=83 => self.random_backup(BackupKind::Log),
            84..=86 => self.foreign_backup(),
            87..=89 => self.switch_model(),
            90..=97 => self.restore_over(),
            _ => self.tail_log(),
        }
        assert_eq!(
            rows_of(&self.instance, DB),
            self.rows,
            "the engine lost rows"
        );
    }

    fn value(&mut self) -> (u8, usize) {
        self.next_value = self.next_value.wrapping_add(1);
        (self.next_value, 1 + self.random.below(1500))
    }

    fn committed(&mut self) {
        let db = self.instance.database(DB).unwrap();
        let commit = (db.end_of_log(), db.newest_record(), self.rows.clone());
        self.branches.last_mut().unwrap().commits.push(commit);
    }

    /// Commits a transaction, some with a mark.
    fn commit(&mut self, transaction: Transaction) {
        if self.random.below(3) > 0 {
            transaction.commit().unwrap();
            return;
        }
        let name = MARKS[self.random.below(MARKS.len())];
        let lsn = transaction.commit_marked(name).unwrap();
        let db = self.instance.database(DB).unwrap();
        self.marks.push(Marked {
            name,
            fork: self.branches.last().unwrap().fork,
            lsn,
            time: db.newest_record(),
            end: db.end_of_log(),
        });
    }

    fn put(&mut self) {
        let (key, value) = (self.random.below(12) as u64, self.value());
        let mut transaction = self.instance.database(DB).unwrap().begin().unwrap();
        transaction.put(key, &vec![value.0; value.1]).unwrap();
        self.commit(transaction);
        self.rows.insert(key, value);
        self.committed();
    }

    fn delete(&mut self) {
        // A row that is there: a commit without a change would leave nothing to tell it by.
        let keys: Vec<u64> = self.rows.keys().copied().filter(|key| *key < 12).collect();
        let Some(key) = keys.get(self.random.below(12)).copied() else {
            return;
        };
        let mut transaction = self.instance.database(DB).unwrap().begin().unwrap();
        transaction.delete(key).unwrap();
        self.commit(transaction);
        self.rows.remove(&key);
        self.committed();
    }

    fn put_open(&mut self) {
        let (key, value) = (20 + self.random.below(6) as u64, self.value());
        let (mut transaction, mut changes) = match self.open.take() {
            Some(open) => open,
            None => (
                self.instance.database(DB).unwrap().begin().unwrap(),
                Rows::new(),
            ),
        };
        transaction.put(key, &vec![value.0; value.1]).unwrap();
        changes.insert(key, value);
        self.open = Some((transaction, changes));
    }

    fn end_open(&mut self) {
        if let Some((transaction, changes)) = self.open.take()
            && self.random.below(3) > 0
        {
            self.commit(transaction);
            self.rows.extend(changes);
            self.committed();
        }
    }

    fn bulk_load(&mut self) {
        let first = self.next_bulk;
        self.next_bulk += 4;
        let value = self.value();
        let rows: Vec<_> = (first..self.next_bulk)
            .map(|key| (key, vec![value.0; value.1]))
            .collect();
        let mut transaction = self.instance.database(DB).unwrap().begin().unwrap();
        transaction.bulk_load(rows).unwrap();
        transaction.commit().unwrap();
        self.rows
            .extend((first..self.next_bulk).map(|key| (key, value)));
        self.committed();
    }

    fn random_backup(&mut self, kind: BackupKind) {
        let copy_only = self.random.below(5) == 0;
        self.backup(kind, copy_only);
    }

    fn backup(&mut self, kind: BackupKind, copy_only: bool) {
        let mut request = BackupRequest::new(DB, kind, Vec::new());
        request.copy_only = copy_only;
        self.take(&request);
    }

    /// Takes a backup, if the engine allows it; some are lost, some damaged.
    fn take(&mut self, request: &BackupRequest) -> bool {
        let mut stripes = vec![Vec::new(); 1 + self.random.below(2)];
        let Ok(mut set) = self.instance.backup_to(request, &mut stripes) else {
            return false;
        };
        if set.kind == BackupKind::Log {
            let end = (set.last_fork.unwrap(), set.last_lsn);
            let inside = |mark: &&Marked| mark.lsn >= set.first_lsn && self.holds(mark, end);
            let mark = |mark: &Marked| Mark {
                name: mark.name.to_owned(),
                lsn: mark.lsn,
                time: mark.time,
            };
            set.marks = self.marks.iter().filter(inside).map(mark).collect();
        }
        let fate = self.random.below(100);
        self.kept.push(Kept {
            set,
            stripes,
            known: fate >= 7,
            usable: fate >= 14,
        });
        true
    }

    fn foreign_backup(&mut self) {
        let kinds = [BackupKind::Full, BackupKind::Differential, BackupKind::Log];
        let request = BackupRequest::new(DB, kinds[self.random.below(3)], Vec::new());
        let _ = self.instance.backup_elsewhere(&request);
    }

    fn switch_model(&mut self) {
        let models = [
            RecoveryModel::Simple,
            RecoveryModel::Full,
            RecoveryModel::BulkLogged,
        ];
        let model = models[self.random.below(3)];
        self.instance
            .database(DB)
            .unwrap()
            .set_recovery_model(model)
            .unwrap();
    }

    fn tail_log(&mut self) {
        self.open = None;
        let mut request = BackupRequest::new(DB, BackupKind::Log, Vec::new());
        request.tail = Tail::NoRecovery;
        if self.take(&request) {
            self.clock.advance(1_000_000);
            self.recover(None);
        }
    }

    /// Restores sets over the database, as far as the engine takes them, and recovers.
    fn restore_over(&mut self) {
        let fulls: Vec<usize> = (0..self.kept.len())
            .filter(|n| self.kept[*n].set.kind == BackupKind::Full)
            .collect();
        let full = fulls[self.random.below(fulls.len())];
        let stop = (self.random.below(3) > 0)
            .then(|| self.moments[self.random.below(self.moments.len())])
            .filter(|stop| *stop > self.kept[full].set.finished);
        self.open = None;
        let mut outcome = (StopOutcome::NotAsked, None);
        for n in full..self.kept.len() {
            let kept = &self.kept[n];
            let other_full = n != full && kept.set.kind == BackupKind::Full;
            if other_full || (n != full && self.random.below(6) == 0) {
                continue;
            }
            let mut request = RestoreRequest::new(DB, kept.set.kind, Vec::new());
            request.stop_at = stop.map(StopAt::Time);
            request.replace = true;
            let readers = kept.stripes.iter().map(Vec::as_slice);
            if let Ok(step) = self.instance.restore_from(&request, readers) {
                outcome = (step.stop, kept.set.last_fork);
            }
        }
        self.clock.advance(1_000_000);
        // A log that crosses to another fork does not tell when the stop was.
        let on_its_fork = outcome.1 == self.instance.database(DB).unwrap().info().fork;
        let reached = stop.filter(|_| outcome.0 == StopOutcome::Reached && on_its_fork);
        self.recover(reached);
    }

    /// Recovers, and takes note of the new branch.
    fn recover(&mut self, reached: Option<ServerTime>) {
        let info = self.instance.database(DB).unwrap().info();
        let (fork, place) = (info.fork.unwrap(), info.redo_lsn.unwrap());
        let born = self.clock.shows();
        self.instance.recover(&RecoverRequest::new(DB)).unwrap();
        self.rows = rows_of(&self.instance, DB);
        if &self.rows != self.truth_at(fork, place) {
            self.describe();
            let (seed, truth) = (self.seed, self.truth_at(fork, place));
            panic!(
                "seed {seed}: the engine has {:?} at {place:?} of {fork}, not {truth:?}",
                self.rows
            );
        }
        // A stop between a fork point and the fork is a time that the older fork knows nothing of.
        let reached = reached.filter(|at| self.branches[self.live_at(*at)].fork == fork);
        self.branches.push(Branch {
            fork: self.fork(),
            left: Some((fork, place)),
            born,
            reached,
            first: self.rows.clone(),
            commits: Vec::new(),
        });
    }

    /// Prints the history, for a person to find out what went wrong.
    pub(crate) fn describe(&self) {
        for branch in &self.branches {
            let (fork, left, born) = (branch.fork, branch.left, branch.born);
            eprintln!(
                "  fork {fork} left {left:?} born {born} reached {:?}",
                branch.reached
            );
            for (end, time, _) in &branch.commits {
                eprintln!("    commit {time} {end:?}");
            }
        }
        for kept in &self.kept {
            let (set, known, usable) = (&kept.set, kept.known, kept.usable);
            let what = format!(
                "{} copy-only={} bulk={}",
                set.kind, set.copy_only, set.flags.bulk_logged
            );
            eprintln!(
                "  {} {what} {:?}..{:?} {:?} to {:?} at {:?}, {} to {} known={known} usable={usable}",
                set.id,
                set.first_lsn,
                set.last_lsn,
                set.first_fork,
                set.last_fork,
                set.fork_point,
                set.started,
                set.finished
            );
        }
    }

    pub(crate) fn branch(&self, fork: ForkId) -> &Branch {
        self.branches
            .iter()
            .find(|branch| branch.fork == fork)
            .unwrap()
    }

    /// The branch that was written on at a time.
    pub(crate) fn live_at(&self, time: ServerTime) -> usize {
        self.branches
            .iter()
            .rposition(|branch| branch.born <= time)
            .unwrap()
    }

    /// The rows at a time.
    pub(crate) fn truth(&self, time: ServerTime) -> &Rows {
        let branch = &self.branches[self.live_at(time)];
        let commit = branch.commits.iter().rev().find(|(_, at, _)| *at < time);
        commit.map_or(&branch.first, |(_, _, rows)| rows)
    }

    /// The rows at a place in the log.
    pub(crate) fn truth_at(&self, mut fork: ForkId, mut place: Lsn) -> &Rows {
        loop {
            let branch = self.branch(fork);
            let commit = branch
                .commits
                .iter()
                .rev()
                .find(|(end, _, _)| *end <= place);
            if let Some((_, _, rows)) = commit {
                return rows;
            }
            let Some((before, left)) = branch.left else {
                return &branch.first;
            };
            fork = before;
            place = place.min(left);
        }
    }

    /// A place, named by the fork it was written on.
    pub(crate) fn owner(&self, mut fork: ForkId, place: Lsn) -> (ForkId, Lsn) {
        while let Some((before, left)) = self.branch(fork).left
            && place <= left
        {
            fork = before;
        }
        (fork, place)
    }

    /// Whether a marked transaction is part of the state at a place.
    pub(crate) fn holds(&self, mark: &Marked, (mut fork, mut place): (ForkId, Lsn)) -> bool {
        while fork != mark.fork {
            let Some((before, left)) = self.branch(fork).left else {
                return false;
            };
            fork = before;
            place = place.min(left);
        }
        mark.lsn < place
    }

    /// Whether the backups that are known tell how one fork came from another.
    pub(crate) fn tells_way(&self, from: ForkId, mut to: ForkId) -> bool {
        while to != from {
            let crosses = |kept: &Kept| {
                kept.known && kept.set.last_fork == Some(to) && kept.set.first_fork != Some(to)
            };
            match self.branch(to).left {
                Some((before, _)) if self.kept.iter().any(crosses) => to = before,
                _ => return false,
            }
        }
        true
    }

    /// Whether one place is on the way to another.
    pub(crate) fn is_before(&self, place: (ForkId, Lsn), mut other: (ForkId, Lsn)) -> bool {
        let place = self.owner(place.0, place.1);
        loop {
            other = self.owner(other.0, other.1);
            if other.0 == place.0 {
                return place.1 <= other.1;
            }
            match self.branch(other.0).left {
                Some(left) => other = left,
                None => return false,
            }
        }
    }

    /// What the chain is told, of the backups that `with` names.
    pub(crate) fn chain(&self, with: impl Fn(&Kept) -> bool) -> Chain {
        let mut builder = Chain::builder();
        for kept in self.kept.iter().filter(|kept| kept.known && with(kept)) {
            builder.add(RestorePoint {
                id: kept.point(),
                set: kept.set.clone(),
            });
            if !kept.usable {
                builder = builder.unusable(kept.point(), Unusable::DataDamaged);
            }
        }
        for branch in self.branches.iter().filter(|branch| branch.left.is_some()) {
            builder = builder.recovery(Recovered {
                fork: branch.fork,
                at: branch.born,
                reached: branch.reached,
            });
        }
        builder.build()
    }
}

pub(crate) fn rows_of(instance: &Instance, name: &str) -> Rows {
    let rows = instance.database(name).unwrap().rows().unwrap();
    let brief = |(key, value): (u64, Vec<u8>)| {
        // An empty value's byte is not stored.
        (key, (value.first().copied().unwrap_or(0), value.len()))
    };
    rows.into_iter().map(brief).collect()
}
