//! Workloads: what a server is asked to do, on a disk that records or fails.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use vab_chain::{PointId, RetentionPolicy};
use vab_repository::storage::{LocalDirectory, Storage};
use vab_repository::{
    AppendSession, RemoveError, Removed, Repository, RepositoryOptions, SessionRequest,
};

use super::{Image, MemoryDisk};
use crate::common::{Backup, JOB, at, read_stream};

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
pub const NOTE_INTERVAL: u64 = 12 << 10;

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
