//! What a crash can leave, by enumeration: every call of a workload that reaches the disk is
//! recorded, every legal state of the disk is built at every point of it, and each is opened with
//! recovery. Every confirmed restore point must be there, byte for byte; nothing may be shown
//! that was never asked to be committed.
//!
//! `VAB_EFFORT=N` tries N times as many mixed crashes at each point (default 1). A failure prints
//! how to run its one image again.

mod common;
mod disk;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use common::{Backup, at, read_stream, request};
use disk::crash::{Crash, Dice, Left, fingerprint};
use disk::{Image, MemoryDisk};
use vab_chain::BackupKind::{self, Differential, Full, Log};
use vab_chain::PointId;
use vab_repository::storage::{LocalDirectory, Storage};
use vab_repository::{Repository, RepositoryOptions};

/// A commit in a recorded workload.
#[derive(Clone, Debug)]
struct Committed {
    backup: Backup,
    /// From here on in the log it may be there.
    asked: usize,
    /// From here on it must.
    confirmed: usize,
}

/// What a workload did, and to which disk.
#[derive(Debug)]
struct Recording {
    start: Image,
    disk: MemoryDisk,
    committed: BTreeMap<PointId, Committed>,
}

impl Recording {
    fn of(start: Image, committed: BTreeMap<PointId, Committed>) -> Self {
        Self {
            disk: MemoryDisk::of(start.clone(), true),
            start,
            committed,
        }
    }

    fn open(&self) -> Repository {
        open(&self.disk)
    }

    fn run(
        &mut self,
        repository: &Repository,
        backup: Backup,
        database: &str,
        kind: BackupKind,
        hours: i64,
    ) {
        let request = request(database, kind, backup.streams.len() as u16, hours);
        let session = repository.begin(request.clone()).unwrap();
        backup.write_all(&session).unwrap();
        let asked = self.disk.position();
        let point = backup.commit(session, &request).unwrap();
        let confirmed = self.disk.position();
        self.committed.insert(
            point.id,
            Committed {
                backup,
                asked,
                confirmed,
            },
        );
    }
}

fn storage(disk: &MemoryDisk) -> Arc<dyn Storage> {
    Arc::new(LocalDirectory::over(Arc::new(disk.clone())))
}

fn open(disk: &MemoryDisk) -> Repository {
    Repository::open_on(storage(disk), RepositoryOptions::default(), at(0)).unwrap()
}

/// From an empty folder: a full of one stream, and a log appended to it.
fn creation() -> Recording {
    let mut recording = Recording::of(Image::default(), BTreeMap::new());
    let repository = recording.open();
    recording.run(
        &repository,
        Backup::new(1, &[&[5000, 300]]),
        "Sales",
        Full,
        0,
    );
    recording.run(&repository, Backup::new(2, &[&[700]]), "Sales", Log, 1);
    recording
}

/// One to four streams, appended, then rolled over by age and by a full.
fn appends() -> Recording {
    let mut recording = Recording::of(Image::default(), BTreeMap::new());
    let repository = recording.open();
    recording.run(
        &repository,
        Backup::new(1, &[&[100, 9000], &[4000], &[1], &[3968]]),
        "Sales",
        Full,
        0,
    );
    recording.run(
        &repository,
        Backup::new(2, &[&[8000], &[10]]),
        "Sales",
        Differential,
        1,
    );
    recording.run(
        &repository,
        Backup::new(3, &[&[1], &[], &[2]]),
        "Sales",
        Log,
        24,
    );
    recording.run(&repository, Backup::new(4, &[&[600]]), "Sales", Log, 25);
    recording.run(
        &repository,
        Backup::new(5, &[&[500, 500], &[500]]),
        "Sales",
        Full,
        26,
    );
    recording
}

/// Three sessions at once: two of one database, one of another; one of them is given up.
fn side_by_side() -> Recording {
    let mut recording = creation();
    recording.start = recording.disk.image();
    recording = durable(recording);
    let repository = recording.open();
    let wanted = [
        (
            Backup::new(11, &[&[900, 5000], &[4000]]),
            request("Sales", Log, 2, 2),
        ),
        (
            Backup::new(12, &[&[100], &[200]]),
            request("Sales", Differential, 2, 2),
        ),
        (
            Backup::new(13, &[&[4096, 1], &[1]]),
            request("Other", Log, 2, 2),
        ),
        (Backup::new(14, &[&[9000]]), request("Gone", Full, 1, 2)),
    ];
    let sessions: Vec<_> = wanted
        .iter()
        .map(|(_, request)| repository.begin(request.clone()).unwrap())
        .collect();
    for sequence in 0..2_u64 {
        for ((backup, _), session) in wanted.iter().zip(&sessions) {
            for (stream, blocks) in (0..).zip(&backup.streams) {
                if sequence < blocks.len() as u64 {
                    backup.write(session, stream, sequence).unwrap();
                }
            }
        }
        sessions[0].sync().unwrap();
    }
    for ((backup, request), session) in wanted.into_iter().zip(sessions) {
        if request.database == "Gone" {
            session.abort();
            continue;
        }
        let asked = recording.disk.position();
        let point = backup.commit(session, &request).unwrap();
        let confirmed = recording.disk.position();
        recording.committed.insert(
            point.id,
            Committed {
                backup,
                asked,
                confirmed,
            },
        );
    }
    let backup = Backup::new(15, &[&[60]]);
    recording.run(&repository, backup, "Sales", Log, 3);
    recording
}

/// A session is given up in the middle, and the next one is written over what it left.
fn given_up() -> Recording {
    let mut recording = durable(creation());
    let repository = recording.open();
    let lost = Backup::new(21, &[&[5000, 6000, 100]]);
    let session = repository.begin(request("Sales", Log, 1, 2)).unwrap();
    lost.write_all(&session).unwrap();
    session.sync().unwrap();
    drop(session);
    recording.run(
        &repository,
        Backup::new(22, &[&[3000, 300]]),
        "Sales",
        Log,
        3,
    );
    recording.run(&repository, Backup::new(23, &[&[30]]), "Sales", Log, 4);
    recording
}

/// The same repository, with everything in it durable and confirmed.
fn durable(recording: Recording) -> Recording {
    let mut committed = recording.committed;
    for point in committed.values_mut() {
        (point.asked, point.confirmed) = (0, 0);
    }
    Recording::of(recording.disk.image(), committed)
}

/// Recovery itself: a crash is made that leaves it much to do, and its own calls are recorded.
fn recoveries(of: &Recording, images: usize, seed: u64) -> Vec<Recording> {
    let log = of.disk.log();
    let mut dice = Dice(seed);
    let mut recordings = Vec::new();
    while recordings.len() < images {
        let position = dice.below(log.len() + 1);
        let mut crash = Crash::of(of.start.clone());
        log[..position].iter().for_each(|change| crash.step(change));
        let choices = crash.choices(2, dice.next());
        let left = &choices[dice.below(choices.len())];
        let image = crash.image(left);
        let mut committed = of.committed.clone();
        committed.retain(|_, point| point.asked <= position);
        // What the crash left decides which of those in doubt are there from now on.
        let shown = Repository::open_read_only_on(storage(&MemoryDisk::of(image.clone(), false)));
        let Ok(shown) = shown else { continue };
        let shown: HashSet<_> = shown
            .points(None, None)
            .iter()
            .map(|point| point.id)
            .collect();
        for (id, point) in &mut committed {
            let confirmed = point.confirmed <= position;
            point.asked = 0;
            point.confirmed = if confirmed || shown.contains(id) {
                0
            } else {
                usize::MAX
            };
        }
        let recording = Recording::of(image, committed);
        drop(recording.open());
        recordings.push(recording);
    }
    recordings
}

/// What went wrong with an image.
type Wrong = String;

/// Opens an image with recovery and holds it against what the workload confirmed.
fn check(image: Image, recording: &Recording, position: usize) -> Result<(), Wrong> {
    let disk = MemoryDisk::of(image, false);
    let repository = Repository::open_on(storage(&disk), RepositoryOptions::default(), at(0))
        .map_err(|error| format!("not opened: {error}"))?;
    holds(&repository, recording, position)?;
    let recovered = disk.image();
    drop(repository);
    // Once more: nothing is left to do.
    let repository = Repository::open_on(storage(&disk), RepositoryOptions::default(), at(0))
        .map_err(|error| format!("not opened again: {error}"))?;
    if !repository.notices().is_empty() {
        return Err(format!(
            "recovery left something to do: {:?}",
            repository.notices()
        ));
    }
    let names: Vec<_> = recovered.names.keys().collect();
    if names != disk.image().names.keys().collect::<Vec<_>>() {
        return Err("a second recovery changed names".to_owned());
    }
    Ok(())
}

fn holds(repository: &Repository, recording: &Recording, position: usize) -> Result<(), Wrong> {
    let mut missing: HashSet<_> = recording
        .committed
        .iter()
        .filter(|(_, point)| point.confirmed <= position)
        .map(|(id, _)| *id)
        .collect();
    for point in repository.points(None, None) {
        let Some(known) = recording
            .committed
            .get(&point.id)
            .filter(|p| p.asked <= position)
        else {
            return Err(format!(
                "shows {}, which was never to be committed",
                point.id
            ));
        };
        for stream in 0..known.backup.streams.len() as u16 {
            let bytes = read_stream(repository, &point, stream).map_err(|error| {
                format!("backup {} cannot be read: {error}", known.backup.number)
            })?;
            if bytes != known.backup.stream(stream) {
                return Err(format!("backup {} has other bytes", known.backup.number));
            }
        }
        missing.remove(&point.id);
    }
    match missing.iter().next() {
        None => Ok(()),
        Some(id) => Err(format!(
            "backup {} is lost",
            recording.committed[id].backup.number
        )),
    }
}

#[derive(Debug, Default)]
struct Count {
    opened: u64,
    same: u64,
}

/// Builds and opens every image of a recording.
fn enumerate(name: &str, recording: &Recording, random: usize, count: &mut Count) {
    let only: Option<(String, usize, usize)> = std::env::var("VAB_IMAGE").ok().map(|image| {
        let mut parts = image.split(':');
        let mut next = || {
            parts
                .next()
                .expect("VAB_IMAGE=workload:position:choice")
                .to_owned()
        };
        (next(), next().parse().unwrap(), next().parse().unwrap())
    });
    if only.as_ref().is_some_and(|(workload, ..)| workload != name) {
        return;
    }
    let log = recording.disk.log();
    let mut seen = HashSet::new();
    let mut crash = Crash::of(recording.start.clone());
    for position in 0..=log.len() {
        if position > 0 {
            crash.step(&log[position - 1]);
        }
        for (number, left) in crash.choices(random, position as u64).iter().enumerate() {
            if only
                .as_ref()
                .is_some_and(|(_, p, n)| (*p, *n) != (position, number))
            {
                continue;
            }
            let image = crash.image(left);
            // A crash may leave the same before and after a call; what it has to show can differ.
            let due = recording
                .committed
                .values()
                .filter(|p| p.confirmed <= position)
                .count();
            if !seen.insert((fingerprint(&image), due)) {
                count.same += 1;
                continue;
            }
            count.opened += 1;
            let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                check(image, recording, position)
            }));
            let wrong = match checked {
                Ok(Ok(())) => continue,
                Ok(Err(wrong)) => wrong,
                Err(_) => "panic".to_owned(),
            };
            let call = position
                .checked_sub(1)
                .map(|last| format!("{:?}", log[last]));
            panic!(
                "{wrong}\n  after call {position} ({}), left: {:?}\n  again: VAB_IMAGE={name}:{position}:{number} VAB_EFFORT={} cargo test -p vab-repository --test crash_images",
                call.map(|call| call.chars().take(120).collect())
                    .unwrap_or_else(String::new),
                left.iter()
                    .filter(|left| **left != Left::Nothing)
                    .take(8)
                    .collect::<Vec<_>>(),
                effort(),
            );
        }
    }
}

fn effort() -> usize {
    std::env::var("VAB_EFFORT")
        .ok()
        .and_then(|effort| effort.parse().ok())
        .unwrap_or(1)
}

#[test]
fn no_crash_loses_a_confirmed_restore_point() {
    let random = 4 * effort();
    let mut count = Count::default();
    let workloads = [
        ("creation", creation()),
        ("appends", appends()),
        ("side_by_side", side_by_side()),
        ("given_up", given_up()),
    ];
    for (name, recording) in &workloads {
        enumerate(name, recording, random, &mut count);
        println!(
            "{name}: {} calls, {} images so far",
            recording.disk.position(),
            count.opened
        );
        for (number, recovery) in recoveries(recording, 6 * effort(), 1).iter().enumerate() {
            enumerate(
                &format!("{name}-recovery-{number}"),
                recovery,
                random,
                &mut count,
            );
        }
    }
    println!(
        "crash images: {} opened, 0 lost ({} more were the same)",
        count.opened, count.same
    );
}
