//! A database in the simplest form that still has recovery forks: its history is a tree of log
//! records, and a state of it is one of them, the last record applied.
//!
//! It shares no code with the crate. Restores are found by trying every one.

use std::collections::HashMap;

use uuid::Uuid;
use vab_chain::{
    BackupKind, BackupSet, Chain, DifferentialBase, ForkId, Lsn, PointId, Recovery, RestorePoint,
    ServerTime, Unusable,
};

/// Index of a record; 0 is the empty database.
pub(crate) type Node = usize;

#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) parent: Node,
    /// The record's LSN; the place after it is one more.
    pub(crate) lsn: u32,
    pub(crate) time: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Branch {
    pub(crate) fork: u128,
    /// The last record.
    pub(crate) tip: Node,
    /// Where it left, and from which branch.
    pub(crate) left: Option<(usize, Node)>,
    pub(crate) born: i64,
    /// The time that was recovered to.
    pub(crate) reached: i64,
    log_end: u32,
    base: Option<usize>,
    bulk: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Backup {
    pub(crate) id: u128,
    pub(crate) kind: BackupKind,
    pub(crate) copy_only: bool,
    /// Index of the full.
    pub(crate) base: Option<usize>,
    pub(crate) first: u32,
    /// The place after the last record.
    pub(crate) end: u32,
    /// The last record in it, or before it.
    pub(crate) node: Node,
    pub(crate) branch: usize,
    pub(crate) bulk: bool,
    pub(crate) started: i64,
    pub(crate) finished: i64,
    /// Whether the chain is told.
    pub(crate) known: bool,
    pub(crate) usable: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) records: Vec<Record>,
    pub(crate) branches: Vec<Branch>,
    pub(crate) backups: Vec<Backup>,
    pub(crate) now: i64,
    current: usize,
}

pub(crate) fn lsn(n: u32) -> Lsn {
    Lsn::new(1, n, 1)
}

pub(crate) fn time(at: i64) -> ServerTime {
    ServerTime::from_micros(at * 1_000_000)
}

impl World {
    pub(crate) fn played(operations: &[(u8, u8)]) -> Self {
        let mut world = Self::new();
        for (operation, argument) in operations {
            world.play(*operation, *argument);
        }
        world
    }

    fn new() -> Self {
        Self {
            records: vec![Record {
                parent: 0,
                lsn: 0,
                time: 0,
            }],
            branches: vec![Branch {
                fork: 1,
                tip: 0,
                left: None,
                born: i64::MIN,
                reached: 0,
                log_end: 1,
                base: None,
                bulk: false,
            }],
            backups: Vec::new(),
            now: 10,
            current: 0,
        }
    }

    /// Plays one operation.
    pub(crate) fn play(&mut self, operation: u8, argument: u8) {
        self.now += 1 + i64::from(argument % 3);
        match operation % 12 {
            0..=3 => self.work(argument % 4 + 1),
            4 => self.branch_mut().bulk = true,
            5 => self.full(argument),
            6 => self.differential(argument),
            7..=9 => self.log(argument),
            10 => self.restore(argument),
            _ => self.switch_to_simple_and_back(argument),
        }
    }

    fn branch(&self) -> &Branch {
        &self.branches[self.current]
    }

    fn branch_mut(&mut self) -> &mut Branch {
        &mut self.branches[self.current]
    }

    fn place(&self) -> u32 {
        self.records[self.branch().tip].lsn + 1
    }

    fn work(&mut self, count: u8) {
        for _ in 0..count {
            self.now += 1;
            let parent = self.branch().tip;
            let lsn = self.place();
            self.records.push(Record {
                parent,
                lsn,
                time: self.now,
            });
            self.branch_mut().tip = self.records.len() - 1;
        }
    }

    fn push(&mut self, backup: Backup) -> usize {
        self.now = backup.finished + 1;
        self.backups.push(backup);
        self.backups.len() - 1
    }

    /// A backup of what is there now; the argument's high bits lose and damage some.
    fn backup(&self, kind: BackupKind, argument: u8) -> Backup {
        Backup {
            id: self.backups.len() as u128 + 1000,
            kind,
            copy_only: argument & 4 != 0,
            base: None,
            first: self.place(),
            end: self.place(),
            node: self.branch().tip,
            branch: self.current,
            bulk: false,
            started: self.now,
            finished: self.now + i64::from(argument & 1),
            known: argument & 0b1110_0000 != 0,
            usable: argument & 0b0111_0000 != 0,
        }
    }

    fn full(&mut self, argument: u8) {
        let backup = self.backup(BackupKind::Full, argument);
        let copy_only = backup.copy_only;
        let index = self.push(backup);
        if !copy_only {
            self.branch_mut().base = Some(index);
        }
    }

    fn differential(&mut self, argument: u8) {
        let Some(base) = self.branch().base else {
            return;
        };
        let backup = Backup {
            base: Some(base),
            copy_only: false,
            ..self.backup(BackupKind::Differential, argument)
        };
        self.push(backup);
    }

    fn log(&mut self, argument: u8) {
        let first = self.branch().log_end;
        let backup = Backup {
            first,
            bulk: self.branch().bulk,
            ..self.backup(BackupKind::Log, argument)
        };
        let (copy_only, end) = (backup.copy_only, backup.end);
        self.push(backup);
        if !copy_only {
            self.branch_mut().log_end = end;
            self.branch_mut().bulk = false;
        }
    }

    /// The log so far is thrown away.
    fn switch_to_simple_and_back(&mut self, argument: u8) {
        if argument.is_multiple_of(3) {
            let place = self.place();
            self.branch_mut().log_end = place;
            self.branch_mut().bulk = false;
        }
    }

    /// Recovers to an earlier record of some branch, which begins a fork.
    fn restore(&mut self, argument: u8) {
        let from = usize::from(argument / 16) % self.branches.len();
        let mut node = self.branches[from].tip;
        for _ in 0..argument % 8 {
            node = self.records[node].parent;
        }
        // A restore needs a backup of the branch: it cannot go back behind where it began.
        let floor = self.branches[from].left.map_or(0, |(_, node)| node);
        if self.records[node].lsn <= self.records[floor].lsn || self.branches.len() > 4 {
            return;
        }
        let place = self.records[node].lsn + 1;
        let history =
            |backup: &&Backup| backup.branch == from && backup.end <= place && !backup.copy_only;
        let logs = self
            .backups
            .iter()
            .filter(history)
            .filter(|b| b.kind == BackupKind::Log);
        // The log goes on where it was last backed up on this branch; otherwise it begins anew.
        let log_end = logs.map(|log| log.end).max().unwrap_or(place);
        let base = self.branches[from]
            .base
            .filter(|base| self.backups[*base].end <= place);
        self.now += 1;
        self.branches.push(Branch {
            fork: self.branches.len() as u128 + 1,
            tip: node,
            left: Some((from, node)),
            born: self.now,
            // Any later moment before the next record would do as well.
            reached: self.records[node].time + 1,
            log_end,
            base,
            bulk: self.branches[from].bulk,
        });
        self.current = self.branches.len() - 1;
        self.now += 1;
        // Recovery itself writes to the log.
        self.work(1);
    }

    /// The branch that history at `place` on the way to `branch` was written on.
    fn owner(&self, mut branch: usize, place: u32) -> usize {
        while let Some((parent, node)) = self.branches[branch].left
            && place <= self.records[node].lsn + 1
        {
            branch = parent;
        }
        branch
    }

    pub(crate) fn point_id(backup: &Backup) -> PointId {
        PointId(Uuid::from_u128(backup.id))
    }

    fn fork_id(&self, branch: usize) -> ForkId {
        ForkId(Uuid::from_u128(self.branches[branch].fork))
    }

    fn set(&self, backup: &Backup) -> BackupSet {
        let mut set = BackupSet::new(
            Uuid::from_u128(backup.id).into(),
            "db",
            backup.kind,
            lsn(backup.first)..lsn(backup.end),
            time(backup.started),
            time(backup.finished),
        );
        set.copy_only = backup.copy_only;
        set.flags.bulk_logged = backup.bulk;
        set.last_fork = Some(self.fork_id(backup.branch));
        set.first_fork = set.last_fork;
        if backup.kind == BackupKind::Log {
            let owner = self.owner(backup.branch, backup.first);
            set.first_fork = Some(self.fork_id(owner));
            if owner != backup.branch {
                let (_, node) = self.branches[backup.branch].left.unwrap();
                set.fork_point = Some(lsn(self.records[node].lsn + 1));
            }
        }
        if let Some(base) = backup.base {
            set.differential_base = Some(DifferentialBase {
                id: Some(Uuid::from_u128(self.backups[base].id).into()),
                lsn: lsn(self.backups[base].first),
            });
        }
        set
    }

    /// What the crate is told.
    pub(crate) fn chain(&self) -> Chain {
        let mut builder = Chain::builder();
        // In an order that says nothing.
        let mut backups: Vec<_> = self.backups.iter().filter(|backup| backup.known).collect();
        backups.sort_by_key(|backup| backup.id * 7919 % 101);
        for backup in backups {
            builder.add(RestorePoint {
                id: Self::point_id(backup),
                set: self.set(backup),
            });
            if !backup.usable {
                builder = builder.unusable(Self::point_id(backup), Unusable::DataDamaged);
            }
        }
        for branch in self.branches.iter().filter(|branch| branch.left.is_some()) {
            builder = builder.recovery(Recovery {
                fork: ForkId(Uuid::from_u128(branch.fork)),
                at: time(branch.born),
                reached: Some(time(branch.reached)),
            });
        }
        builder.build()
    }

    fn readable(&self) -> impl Iterator<Item = &Backup> {
        self.backups
            .iter()
            .filter(|backup| backup.known && backup.usable)
    }

    /// Whether `node` is `other`, or before it on its way.
    pub(crate) fn is_before(&self, node: Node, mut other: Node) -> bool {
        while self.records[other].lsn > self.records[node].lsn {
            other = self.records[other].parent;
        }
        other == node
    }

    /// The records of a log that come after `state`, in order; `None` when the log cannot be
    /// applied.
    pub(crate) fn redo(&self, log: &Backup, state: Node) -> Option<Vec<Node>> {
        let place = self.records[state].lsn + 1;
        if !(log.first <= place && place < log.end) {
            return None;
        }
        let mut nodes = Vec::new();
        let mut at = log.node;
        while self.records[at].lsn >= place {
            nodes.push(at);
            at = self.records[at].parent;
        }
        nodes.reverse();
        (at == state).then_some(nodes)
    }

    /// The fewest restores to every state, trying all, with data backups and whole bulk-logged
    /// logs only as far as `allowed` says.
    pub(crate) fn distances(&self, allowed: impl Fn(&Backup) -> bool) -> HashMap<Node, usize> {
        let mut distances: HashMap<Node, usize> = HashMap::new();
        let mut open: Vec<(Node, usize)> = Vec::new();
        for backup in self.readable().filter(|backup| allowed(backup)) {
            match backup.kind {
                BackupKind::Full => open.push((backup.node, 1)),
                BackupKind::Differential => {
                    let base = &self.backups[backup.base.unwrap()];
                    if base.known && base.usable {
                        open.push((backup.node, 2));
                    }
                }
                BackupKind::Log => {}
            }
        }
        while let Some((node, steps)) = open.pop() {
            if distances.get(&node).is_some_and(|known| *known <= steps) {
                continue;
            }
            distances.insert(node, steps);
            for log in self
                .readable()
                .filter(|backup| backup.kind == BackupKind::Log)
            {
                let Some(nodes) = self.redo(log, node) else {
                    continue;
                };
                if !log.bulk {
                    open.extend(nodes.iter().map(|node| (*node, steps + 1)));
                } else if allowed(log) {
                    open.push((log.node, steps + 1));
                }
            }
        }
        distances
    }

    /// The branch that was written on at a time, and the last record before it.
    pub(crate) fn state_at(&self, time: i64) -> (usize, Node) {
        let begun = |(_, branch): &(usize, &Branch)| branch.born <= time;
        let (index, branch) = self
            .branches
            .iter()
            .enumerate()
            .filter(begun)
            .max_by_key(|(_, b)| b.born)
            .unwrap();
        let mut node = branch.tip;
        while node != 0 && self.records[node].time >= time {
            node = self.records[node].parent;
        }
        // Not behind where the branch began: what it went back to was there at once.
        let floor = branch.left.map_or(0, |(_, node)| node);
        if self.records[node].lsn < self.records[floor].lsn {
            node = floor;
        }
        (index, node)
    }
}
