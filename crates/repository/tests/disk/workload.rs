//! Workloads: what a server is asked to do, on a disk that records or fails.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use vab_chain::BackupKind::{self, Differential, Full, Log};
use vab_chain::{PointId, RetentionPolicy};
use vab_repository::storage::{LocalDirectory, Storage};
use vab_repository::{
    AppendSession, RemoveError, Removed, Repository, RepositoryOptions, SessionRequest,
};

use super::crash::Dice;
use super::{Image, MemoryDisk};
use crate::common::{Backup, JOB, at, read_stream, request};

/// One thing that a server is asked to do.
#[derive(Clone, Debug)]
pub enum Step {
    /// Starts the server, with recovery.
    Open,
    /// Stops it; what runs is given up.
    Close,
    Begin {
        slot: usize,
        backup: Backup,
        request: SessionRequest,
    },
    Write {
        slot: usize,
        stream: u16,
        sequence: u64,
    },
    Sync {
        slot: usize,
    },
    Commit {
        slot: usize,
    },
    Abort {
        slot: usize,
    },
    /// Keeps what is needed to take the session up.
    Keep {
        slot: usize,
    },
    /// The server is killed: it does nothing any more.
    Kill,
    /// Takes a session up that was on its way when the server was killed.
    TakeUp {
        slot: usize,
    },
    /// Takes up whatever can be, each in a slot of its own.
    TakeAllUp,
    /// Servers that start from here on write notes anew when a session has come on by so many
    /// bytes.
    NoteEvery {
        bytes: u64,
    },
    /// Writes what is still due.
    Rest {
        slot: usize,
    },
    /// Removes what a policy of so many days lets go.
    Expire {
        days: u32,
        hours: i64,
    },
}

/// A commit that was asked for.
#[derive(Clone, Debug)]
pub struct Committed {
    pub backup: Backup,
    /// From here on in the log it may be there.
    pub asked: usize,
    /// From here on it must; `None` when the commit failed.
    pub confirmed: Option<usize>,
    /// From here on in the log it may be gone, because it was removed.
    pub leaving: Option<usize>,
    /// From here on it must be gone.
    pub gone: Option<usize>,
    /// The server that was asked, by its number.
    pub server: usize,
}

/// What a session that can be taken up was promised.
#[derive(Clone, Debug)]
pub struct Kept {
    pub backup: Backup,
    pub request: SessionRequest,
    /// From a point of the log on, so many blocks of each stream are durable.
    pub promises: Vec<(usize, Vec<u64>)>,
    /// From here on nothing is promised: it was given up.
    pub over: Option<usize>,
}

impl Kept {
    /// The blocks that are promised at a point of the log.
    pub fn promised(&self, position: usize) -> Option<&[u64]> {
        let promises = self.promises.iter().rev();
        let mut made = promises.filter(|(at, _)| *at <= position);
        let (_, blocks) = made.next()?;
        self.over
            .is_none_or(|over| over > position)
            .then_some(blocks)
    }
}

/// What has to be shown to take a session up.
pub const KEY: [u8; 16] = [7; 16];

/// A session on its way, with what it is to hold.
type Running = (AppendSession, Backup, SessionRequest);

/// Records are a page long at least: of two syncs one writes the note, more or less.
const NOTE_INTERVAL: u64 = 12 << 10;

/// What a workload did, and to which disk.
#[derive(Debug)]
pub struct Recording {
    pub start: Image,
    pub disk: MemoryDisk,
    pub committed: BTreeMap<PointId, Committed>,
    pub kept: BTreeMap<PointId, Kept>,
    /// Errors that came back.
    pub errors: Vec<String>,
    /// The server as the workload left it.
    pub repository: Option<Repository>,
    /// Notices of servers that were stopped.
    pub noticed: usize,
    /// The calls of servers that said good-bye: nobody is left to hear of a failure.
    pub stopping: Vec<std::ops::Range<u64>>,
    /// How many servers were started.
    pub servers: usize,
    pub note_interval: u64,
}

impl Recording {
    /// On a disk that has this, durably.
    pub fn on(start: Image, committed: BTreeMap<PointId, Committed>) -> Self {
        Self {
            disk: MemoryDisk::of(start.clone(), true),
            start,
            committed,
            kept: BTreeMap::new(),
            errors: Vec::new(),
            repository: None,
            servers: 0,
            noticed: 0,
            stopping: Vec::new(),
            note_interval: NOTE_INTERVAL,
        }
    }

    /// What a workload does on an empty disk.
    pub fn of(steps: &[Step]) -> Self {
        let mut recording = Self::on(Image::default(), BTreeMap::new());
        recording.run(steps);
        assert_eq!(recording.errors, [] as [String; 0], "a sound disk");
        recording
    }

    fn stop(&mut self) {
        let before = self.disk.calls();
        let server = self.repository.take();
        self.noticed += server.as_ref().map_or(0, |server| server.notices().len());
        drop(server);
        self.stopping.push(before..self.disk.calls());
    }

    /// Says which sessions are promised nothing from now on.
    fn over(&mut self, which: impl Fn(PointId, &Kept) -> bool) {
        let position = self.disk.position();
        for (id, kept) in &mut self.kept {
            if which(*id, kept) {
                kept.over.get_or_insert(position);
            }
        }
    }

    fn give_up(&mut self, sessions: &mut BTreeMap<usize, Running>, slot: usize) {
        if let Some((session, ..)) = sessions.remove(&slot) {
            let id = session.id();
            self.over(|other, _| other == id);
            drop(session);
        }
    }

    fn give_all_up(&mut self, sessions: &mut BTreeMap<usize, Running>) {
        while let Some(slot) = sessions.keys().next().copied() {
            self.give_up(sessions, slot);
        }
    }

    fn promise(&mut self, session: &AppendSession) {
        let position = self.disk.position();
        if let Some(kept) = self.kept.get_mut(&session.id()) {
            let blocks = session.ends().iter().map(|end| end.blocks).collect();
            kept.promises.push((position, blocks));
        }
    }

    /// Does every step; what depends on one that failed is left out.
    pub fn run(&mut self, steps: &[Step]) {
        let mut sessions: BTreeMap<usize, Running> = BTreeMap::new();
        let mut interrupted: BTreeMap<usize, (PointId, Backup, SessionRequest)> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Open => {
                    self.servers += 1;
                    self.give_all_up(&mut sessions);
                    self.stop();
                    self.repository = open_noting(&self.disk, self.note_interval)
                        .map_err(|error| self.errors.push(error))
                        .ok();
                    if self.repository.is_none() {
                        // A failing call fails once; an administrator would try again.
                        self.repository = open_noting(&self.disk, self.note_interval)
                            .map_err(|error| self.errors.push(error))
                            .ok();
                    }
                }
                Step::Close => {
                    self.give_all_up(&mut sessions);
                    self.stop();
                }
                Step::Begin {
                    slot,
                    backup,
                    request,
                } => {
                    self.over(|id, kept| {
                        let runs = sessions.values().any(|(session, ..)| session.id() == id);
                        !runs && kept.request.database == request.database
                    });
                    let Some(repository) = &self.repository else {
                        continue;
                    };
                    match backup.begin(repository, request) {
                        Ok(session) => {
                            sessions.insert(*slot, (session, backup.clone(), request.clone()));
                        }
                        Err(error) => self.errors.push(error.to_string()),
                    }
                }
                Step::Write {
                    slot,
                    stream,
                    sequence,
                } => {
                    let Some((session, backup, _)) = sessions.get(slot) else {
                        continue;
                    };
                    if let Err(error) = backup.write(session, *stream, *sequence) {
                        self.errors.push(error.to_string());
                        self.give_up(&mut sessions, *slot);
                    }
                }
                Step::Sync { slot } => {
                    let Some((session, ..)) = sessions.get(slot) else {
                        continue;
                    };
                    match session.sync() {
                        Ok(()) => self.promise(session),
                        Err(error) => {
                            self.errors.push(error.to_string());
                            self.give_up(&mut sessions, *slot);
                        }
                    }
                }
                Step::Abort { slot } => self.give_up(&mut sessions, *slot),
                Step::Keep { slot } => {
                    let Some((session, backup, request)) = sessions.get(slot) else {
                        continue;
                    };
                    let kept = Kept {
                        backup: backup.clone(),
                        request: request.clone(),
                        promises: Vec::new(),
                        over: None,
                    };
                    self.kept.insert(session.id(), kept);
                    match session.keep_key(KEY) {
                        Ok(()) => self.promise(session),
                        Err(error) => {
                            self.errors.push(error.to_string());
                            self.give_up(&mut sessions, *slot);
                        }
                    }
                }
                Step::Kill => {
                    interrupted.clear();
                    for (slot, (session, backup, request)) in std::mem::take(&mut sessions) {
                        interrupted.insert(slot, (session.id(), backup, request));
                        std::mem::forget(session);
                    }
                    if let Some(server) = self.repository.take() {
                        self.noticed += server.notices().len();
                        std::mem::forget(server);
                    }
                }
                Step::TakeUp { slot } => {
                    let Some((id, backup, request)) = interrupted.remove(slot) else {
                        continue;
                    };
                    let Some(repository) = &self.repository else {
                        continue;
                    };
                    match repository.take_up(id, KEY) {
                        Ok(session) => {
                            self.promise(&session);
                            sessions.insert(*slot, (session, backup, request));
                        }
                        Err(error) => self.errors.push(error.to_string()),
                    }
                }
                Step::TakeAllUp => {
                    let Some(repository) = self.repository.clone() else {
                        continue;
                    };
                    for (slot, there) in repository.interrupted().iter().enumerate() {
                        let Some(kept) = self.kept.get(&there.session) else {
                            continue;
                        };
                        let (backup, request) = (kept.backup.clone(), kept.request.clone());
                        match repository.take_up(there.session, KEY) {
                            Ok(session) => {
                                self.promise(&session);
                                sessions.insert(slot, (session, backup, request));
                            }
                            Err(error) => self.errors.push(error.to_string()),
                        }
                    }
                }
                Step::NoteEvery { bytes } => self.note_interval = *bytes,
                Step::Rest { slot } => {
                    let Some((session, backup, _)) = sessions.get(slot) else {
                        continue;
                    };
                    if let Err(error) = backup.write_rest(session) {
                        self.errors.push(error.to_string());
                        self.give_up(&mut sessions, *slot);
                    }
                }
                Step::Expire { days, hours } => {
                    let Some(repository) = &self.repository else {
                        continue;
                    };
                    let (policy, now) = (RetentionPolicy::days(*days), at(*hours));
                    let plan = repository.retention(JOB, &policy, now, |_| false);
                    let before = self.disk.position();
                    for point in repository.points(None, None) {
                        if plan.remove.contains(&point.file) {
                            self.committed.get_mut(&point.id).unwrap().leaving = Some(before);
                        }
                    }
                    let removed = match repository.expire(JOB, &policy, now, |_| false) {
                        Ok(removed) => removed,
                        Err(RemoveError::Storage { removed, source }) => {
                            self.errors.push(source.to_string());
                            removed
                        }
                        Err(error) => {
                            self.errors.push(error.to_string());
                            Removed::default()
                        }
                    };
                    for id in removed.points {
                        self.committed.get_mut(&id).unwrap().gone = Some(self.disk.position());
                    }
                }
                Step::Commit { slot } => {
                    let Some((session, backup, request)) = sessions.remove(slot) else {
                        continue;
                    };
                    let id = session.id();
                    let asked = self.disk.position();
                    let result = backup.commit(session, &request);
                    let confirmed = result.is_ok().then(|| self.disk.position());
                    if result.is_err() {
                        // Given up, after a failure of which nothing is promised.
                        self.kept.remove(&id);
                    }
                    if let Err(error) = result {
                        self.errors.push(error.to_string());
                    }
                    self.committed.insert(
                        id,
                        Committed {
                            backup,
                            asked,
                            confirmed,
                            server: self.servers,
                            leaving: None,
                            gone: None,
                        },
                    );
                }
            }
        }
    }
}

pub fn storage(disk: &MemoryDisk) -> Arc<dyn Storage> {
    Arc::new(LocalDirectory::over(Arc::new(disk.clone())))
}

pub fn open(disk: &MemoryDisk) -> Result<Repository, String> {
    open_noting(disk, NOTE_INTERVAL)
}

fn open_noting(disk: &MemoryDisk, note_interval: u64) -> Result<Repository, String> {
    let mut options = RepositoryOptions::default();
    options.note_interval = note_interval;
    Repository::open_on(storage(disk), options, at(0))
        .map_err(|error| format!("not opened: {error}"))
}

/// Holds what a repository shows against what was confirmed up to a point of the log.
pub fn holds(
    repository: &Repository,
    committed: &BTreeMap<PointId, Committed>,
    position: usize,
) -> Result<(), String> {
    let reached = |at: Option<usize>| at.is_some_and(|at| at <= position);
    let due = committed
        .iter()
        .filter(|(_, point)| reached(point.confirmed) && !reached(point.leaving));
    let mut missing: HashSet<_> = due.map(|(id, _)| *id).collect();
    for point in repository.points(None, None) {
        let Some(known) = committed
            .get(&point.id)
            .filter(|point| point.asked <= position)
        else {
            return Err(format!(
                "shows {}, which was never to be committed",
                point.id
            ));
        };
        let number = known.backup.number;
        if reached(known.gone) {
            return Err(format!("backup {number} was removed and is there"));
        }
        for stream in 0..known.backup.streams.len() as u16 {
            let bytes = read_stream(repository, &point, stream)
                .map_err(|error| format!("backup {number} cannot be read: {error}"))?;
            if bytes != known.backup.stream(stream) {
                return Err(format!("backup {number} has other bytes"));
            }
        }
        missing.remove(&point.id);
    }
    match missing.iter().next() {
        None => Ok(()),
        Some(id) => Err(format!("backup {} is lost", committed[id].backup.number)),
    }
}

/// A backup from its first block to its commit.
pub fn backup(backup: Backup, database: &str, kind: BackupKind, hours: i64) -> Vec<Step> {
    let slot = 100;
    let request = request(database, kind, backup.streams.len() as u16, hours);
    let mut steps = vec![Step::Begin {
        slot,
        backup: backup.clone(),
        request,
    }];
    steps.extend(writes(slot, &backup));
    steps.push(Step::Commit { slot });
    steps
}

/// The blocks of a backup, the streams in turn.
pub fn writes(slot: usize, backup: &Backup) -> Vec<Step> {
    let longest = backup.streams.iter().map(Vec::len).max().unwrap_or(0);
    let mut steps = Vec::new();
    for sequence in 0..longest {
        for (stream, blocks) in (0..).zip(&backup.streams) {
            if sequence < blocks.len() {
                steps.push(Step::Write {
                    slot,
                    stream,
                    sequence: sequence as u64,
                });
            }
        }
    }
    steps
}

/// The workloads that are written down, by name.
pub fn fixed() -> Vec<(String, Vec<Step>)> {
    let named = [
        ("creation", creation()),
        ("appends", appends()),
        ("side_by_side", side_by_side()),
        ("given_up", given_up()),
        ("retention", retention()),
        ("encrypted", encrypted()),
        ("taken_up", taken_up()),
        ("taken_up_new", taken_up_new()),
        ("noted_seldom", noted_seldom()),
    ];
    named
        .into_iter()
        .map(|(name, steps)| (name.to_owned(), steps))
        .collect()
}

/// From an empty folder: a full of one stream, and a log appended to it.
fn creation() -> Vec<Step> {
    let mut steps = vec![Step::Open];
    steps.extend(backup(Backup::new(1, &[&[5000, 300]]), "Sales", Full, 0));
    steps.extend(backup(Backup::new(2, &[&[700]]), "Sales", Log, 1));
    steps
}

/// One to four streams, appended, then rolled over by age and by a full.
fn appends() -> Vec<Step> {
    let mut steps = vec![Step::Open];
    steps.extend(backup(
        Backup::new(1, &[&[100, 9000], &[4000], &[1], &[3968]]),
        "Sales",
        Full,
        0,
    ));
    steps.extend(backup(
        Backup::new(2, &[&[8000], &[10]]),
        "Sales",
        Differential,
        1,
    ));
    steps.extend(backup(Backup::new(3, &[&[1], &[], &[2]]), "Sales", Log, 24));
    steps.extend(backup(Backup::new(4, &[&[600]]), "Sales", Log, 25));
    steps.extend(backup(
        Backup::new(5, &[&[500, 500], &[500]]),
        "Sales",
        Full,
        26,
    ));
    steps
}

/// Four sessions at once, two of one database; one of them is given up.
fn side_by_side() -> Vec<Step> {
    let mut steps = creation();
    let wanted = [
        (Backup::new(11, &[&[900, 5000], &[4000]]), "Sales", Log),
        (Backup::new(12, &[&[100], &[200]]), "Sales", Differential),
        (Backup::new(13, &[&[4096, 1], &[1]]), "Other", Log),
        (Backup::new(14, &[&[9000]]), "Gone", Full),
    ];
    for (slot, (backup, database, kind)) in wanted.iter().enumerate() {
        let request = request(database, *kind, backup.streams.len() as u16, 2);
        steps.push(Step::Begin {
            slot,
            backup: backup.clone(),
            request,
        });
    }
    let mut each: Vec<_> = wanted
        .iter()
        .enumerate()
        .map(|(slot, (backup, ..))| writes(slot, backup).into_iter())
        .collect();
    for _ in 0..3 {
        steps.extend(each.iter_mut().filter_map(Iterator::next));
        steps.push(Step::Sync { slot: 0 });
    }
    steps.extend([
        Step::Commit { slot: 1 },
        Step::Abort { slot: 3 },
        Step::Commit { slot: 0 },
        Step::Commit { slot: 2 },
    ]);
    steps.extend(backup(Backup::new(15, &[&[60]]), "Sales", Log, 3));
    steps
}

/// A session is given up in the middle, and the next one is written over what it left; the same
/// across a restart.
fn given_up() -> Vec<Step> {
    let mut steps = creation();
    let lost = Backup::new(21, &[&[5000, 6000, 100]]);
    for end in [Step::Abort { slot: 0 }, Step::Close] {
        let request = request("Sales", Log, 1, 2);
        steps.push(Step::Begin {
            slot: 0,
            backup: lost.clone(),
            request,
        });
        steps.extend(writes(0, &lost));
        steps.push(Step::Sync { slot: 0 });
        steps.push(end);
        steps.push(Step::Open);
        let number = 22 + steps.len() as u64;
        steps.extend(backup(
            Backup::new(number, &[&[3000, 300]]),
            "Sales",
            Log,
            3,
        ));
    }
    steps
}

/// Chains that go when they are outdated, while a session runs; then again after a restart.
fn retention() -> Vec<Step> {
    let mut steps = vec![Step::Open];
    steps.extend(backup(Backup::new(1, &[&[500]]), "Sales", Full, 0));
    steps.extend(backup(Backup::new(2, &[&[600]]), "Sales", Log, 1));
    steps.extend(backup(Backup::new(3, &[&[300]]), "Sales", Log, 26));
    steps.extend(backup(Backup::new(4, &[&[400], &[1]]), "Sales", Full, 48));
    let running = Backup::new(5, &[&[700]]);
    let request = request("Sales", Log, 1, 49);
    steps.push(Step::Begin {
        slot: 0,
        backup: running.clone(),
        request,
    });
    steps.push(Step::Expire { days: 1, hours: 60 });
    steps.extend(writes(0, &running));
    steps.push(Step::Commit { slot: 0 });
    steps.extend(backup(Backup::new(6, &[&[100]]), "Sales", Full, 100));
    steps.push(Step::Open);
    steps.push(Step::Expire {
        days: 2,
        hours: 200,
    });
    steps.extend(backup(Backup::new(7, &[&[200]]), "Sales", Log, 101));
    steps
}

/// Encrypted sessions: their first file, an append, and the change to and fro.
fn encrypted() -> Vec<Step> {
    let mut steps = vec![Step::Open];
    let sealed = |number, streams: &[&[usize]], kind, hours| {
        backup(
            Backup::new(number, streams).encrypted(),
            "Sales",
            kind,
            hours,
        )
    };
    steps.extend(sealed(1, &[&[5000], &[1]], Full, 0));
    steps.extend(sealed(2, &[&[600, 4000]], Log, 1));
    steps.extend(backup(Backup::new(3, &[&[300]]), "Sales", Log, 2));
    steps.extend(sealed(4, &[&[100]], Log, 3));
    steps
}

/// A session is begun, killed with its server and taken up, twice; then it is committed. Another
/// is killed, and given up by a new one.
fn taken_up() -> Vec<Step> {
    let mut steps = creation();
    let long = Backup::new(31, &[&[5000, 700, 4000, 1], &[300, 9000, 20]]);
    let (slot, database) = (0, "Sales");
    steps.push(Step::Begin {
        slot,
        backup: long,
        request: request(database, Log, 2, 2),
    });
    steps.push(Step::Keep { slot });
    let write = |stream, sequence| Step::Write {
        slot,
        stream,
        sequence,
    };
    steps.extend([write(0, 0), write(1, 0), Step::Sync { slot }, write(0, 1)]);
    steps.extend([Step::Kill, Step::Open, Step::TakeUp { slot }]);
    // What was written was not lost with the server; what comes has another order than before.
    steps.extend([write(1, 1), write(0, 2), Step::Sync { slot }, write(0, 3)]);
    steps.extend([Step::Kill, Step::Open, Step::TakeUp { slot }]);
    steps.extend([Step::Rest { slot }, Step::Commit { slot }]);
    steps.push(Step::Begin {
        slot,
        backup: Backup::new(32, &[&[5000, 700]]),
        request: request(database, Log, 1, 3),
    });
    steps.extend([Step::Keep { slot }, write(0, 0), Step::Sync { slot }]);
    steps.extend([Step::Kill, Step::Open]);
    steps.extend(backup(Backup::new(33, &[&[60]]), database, Log, 4));
    steps
}

/// Syncs with a note and without one, each with blocks behind it that were not synced; then the
/// server is killed, and the session goes on in another order. Again without any other note.
fn noted_seldom() -> Vec<Step> {
    let mut steps = creation();
    let (slot, database) = (0, "Sales");
    for (bytes, number) in [(NOTE_INTERVAL, 51), (1 << 30, 52)] {
        let hours = number as i64;
        steps.extend([Step::Close, Step::NoteEvery { bytes }, Step::Open]);
        let backup = Backup::new(number, &[&[5000, 1, 300, 9000, 20], &[4000, 8000, 10, 600]]);
        steps.push(Step::Begin {
            slot,
            backup,
            request: request(database, Log, 2, hours),
        });
        steps.push(Step::Keep { slot });
        let write = |stream, sequence| Step::Write {
            slot,
            stream,
            sequence,
        };
        steps.extend([write(0, 0), Step::Sync { slot }, write(1, 0), write(0, 1)]);
        steps.extend([Step::Sync { slot }, write(1, 1), Step::Sync { slot }]);
        steps.extend([write(0, 2), write(0, 3), write(1, 2)]);
        steps.extend([Step::Kill, Step::Open, Step::TakeUp { slot }]);
        steps.extend([write(1, 3), Step::Sync { slot }, write(0, 4)]);
        steps.extend([Step::Kill, Step::Open, Step::TakeUp { slot }]);
        steps.extend([
            Step::Rest { slot },
            Step::Sync { slot },
            Step::Commit { slot },
        ]);
    }
    steps
}

/// The same with a session that begins a file, and an encrypted one.
fn taken_up_new() -> Vec<Step> {
    let mut steps = vec![Step::Open];
    let slot = 0;
    for backup in [
        Backup::new(41, &[&[5000, 700], &[1, 1]]),
        Backup::new(42, &[&[400, 4000]]).encrypted(),
    ] {
        let streams = backup.streams.len() as u16;
        steps.push(Step::Begin {
            slot,
            backup,
            request: request("Sales", Full, streams, 2),
        });
        let write = |sequence| Step::Write {
            slot,
            stream: 0,
            sequence,
        };
        steps.extend([Step::Keep { slot }, write(0), Step::Sync { slot }, write(1)]);
        steps.extend([Step::Kill, Step::Open, Step::TakeUp { slot }]);
        steps.extend([Step::Rest { slot }, Step::Commit { slot }]);
    }
    steps
}

/// A workload that follows from a number: up to four sessions at once, one to four streams each.
pub fn generated(seed: u64) -> Vec<Step> {
    let mut dice = Dice(seed);
    let bytes = [0, NOTE_INTERVAL, NOTE_INTERVAL, 1 << 30][dice.below(4)];
    let mut steps = vec![Step::NoteEvery { bytes }, Step::Open];
    let mut hours = 0;
    let mut running: BTreeMap<usize, std::vec::IntoIter<Step>> = BTreeMap::new();
    let mut kept = HashSet::new();
    for number in 0..4 + dice.below(4) {
        hours += [0, 1, 5, 13][dice.below(4)];
        let streams = 1 + dice.below(4);
        let backup = Backup {
            number: seed * 1000 + number as u64,
            streams: (0..streams)
                .map(|_| (0..dice.below(4)).map(|_| dice.length()).collect())
                .collect(),
            encrypted: dice.below(5) == 0,
        };
        let kind = [Full, Differential, Log, Log, Log][dice.below(5)];
        let database = ["Sales", "Other"][usize::from(dice.below(3) == 0)];
        let mut request = request(database, kind, streams as u16, hours);
        request.copy_only = dice.below(6) == 0;
        let slot = number % 4;
        if running.remove(&slot).is_some() {
            steps.push(if dice.below(3) == 0 {
                Step::Abort { slot }
            } else {
                Step::Close
            });
            if matches!(steps.last(), Some(Step::Close)) {
                running.clear();
                steps.push(Step::Open);
            }
        }
        if dice.below(4) == 0 {
            steps.extend([Step::Kill, Step::Open]);
            for (slot, _) in std::mem::take(&mut running) {
                if kept.contains(&slot) {
                    steps.extend([Step::TakeUp { slot }, Step::Rest { slot }]);
                    steps.push(Step::Commit { slot });
                }
            }
        }
        let mut rest = writes(slot, &backup);
        for _ in 0..dice.below(4) {
            rest.insert(dice.below(rest.len() + 1), Step::Sync { slot });
        }
        rest.push(if dice.below(8) == 0 {
            Step::Abort { slot }
        } else {
            Step::Commit { slot }
        });
        steps.push(Step::Begin {
            slot,
            backup,
            request,
        });
        kept.remove(&slot);
        if dice.below(2) == 0 {
            steps.push(Step::Keep { slot });
            kept.insert(slot);
        }
        running.insert(slot, rest.into_iter());
        for _ in 0..dice.below(12) {
            let slot = dice.below(4);
            if let Some(steps_left) = running.get_mut(&slot) {
                match steps_left.next() {
                    Some(step) => steps.push(step),
                    None => {
                        running.remove(&slot);
                    }
                }
            }
        }
    }
    for rest in running.into_values() {
        steps.extend(rest);
    }
    steps
}

impl Dice {
    /// The length of a block: often at an edge of a sector or a page.
    fn length(&mut self) -> usize {
        let edge = [1, 384, 512, 3968, 3969, 4096, 8064][self.below(7)];
        match self.below(3) {
            0 => edge,
            1 => 1 + self.below(600),
            _ => 1 + self.below(9000),
        }
    }
}
