//! What a crash can leave, by enumeration: every call of a workload that reaches the disk is
//! recorded, every legal state of the disk is built at every point of it, and each is opened with
//! recovery. Every confirmed restore point must be there, byte for byte; nothing may be shown
//! that was never asked to be committed.
//!
//! `VAB_EFFORT=N` tries N times as many workloads and crashes (default 1). A failure prints how
//! to run its one image again.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails is to end at once"
)]

mod common;
mod disk;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};

use disk::crash::{Crash, Dice, Left, fingerprint};
use disk::scenarios::{fixed, generated};
use disk::workload::{Committed, KEY, Recording, Step, holds, open, storage};
use disk::{Image, MemoryDisk};
use vab_repository::Repository;
use vab_repository::storage::StoragePath;

/// Opens an image with recovery and holds it against what the workload confirmed.
fn check(image: Image, recording: &Recording, position: usize) -> Result<(), String> {
    let disk = MemoryDisk::of(image, false);
    let repository = open(&disk)?;
    holds(&repository, &recording.committed, position)?;
    drop(repository);
    let names = names(&disk);
    // Once more: nothing is left to do.
    let repository = open(&disk)?;
    if !repository.notices().is_empty() {
        return Err(format!(
            "recovery left something to do: {:?}",
            repository.notices()
        ));
    }
    holds(&repository, &recording.committed, position)?;
    drop(repository);
    if names != self::names(&disk) {
        return Err("a second recovery changed names".to_owned());
    }
    taken_up(&disk, recording, position)
}

/// A session that was promised to be taken up is, with all that was promised of it, and becomes a
/// whole restore point.
fn taken_up(disk: &MemoryDisk, recording: &Recording, position: usize) -> Result<(), String> {
    let mut committed = recording.committed.clone();
    committed.retain(|_, point| point.asked <= position);
    for (id, kept) in &recording.kept {
        let number = kept.backup.number;
        let Some(promised) = kept.promised(position) else {
            continue;
        };
        let repository = open(disk)?;
        if repository.point(*id).is_some() {
            // Its commit was on its way.
            continue;
        }
        let noted = notes(disk);
        let session = repository
            .take_up(*id, KEY)
            .map_err(|error| format!("backup {number} is not taken up: {error}"))?;
        if notes(disk) != noted {
            BEHIND_THE_NOTE.fetch_add(1, Ordering::Relaxed);
        }
        let ends = session.ends();
        if ends
            .iter()
            .zip(promised)
            .any(|(end, due)| end.blocks < *due)
        {
            return Err(format!(
                "of backup {number} {promised:?} were durable, {ends:?} are there"
            ));
        }
        let whole = kept.backup.write_rest(&session);
        whole.map_err(|error| format!("backup {number} does not go on: {error}"))?;
        kept.backup
            .commit(session, &kept.request)
            .map_err(|error| format!("backup {number} is not committed: {error}"))?;
        drop(repository);
        committed.insert(
            *id,
            Committed {
                backup: kept.backup.clone(),
                asked: 0,
                confirmed: Some(0),
                leaving: None,
                gone: None,
                server: 0,
            },
        );
        holds(&open(disk)?, &committed, position)?;
        TAKEN_UP.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// How many sessions were taken up after a crash.
static TAKEN_UP: AtomicU64 = AtomicU64::new(0);
/// How many of them had whole records behind their note, and so got a new one.
static BEHIND_THE_NOTE: AtomicU64 = AtomicU64::new(0);

/// What the notes of sessions on their way say.
fn notes(disk: &MemoryDisk) -> Vec<Vec<u8>> {
    let image = disk.image();
    let names = image.names.keys();
    let of_notes = names.filter(|path| path.file().split_extension().1 == "VABNOTE");
    of_notes
        .filter_map(|path| image.content(path).cloned())
        .collect()
}

fn names(disk: &MemoryDisk) -> Vec<StoragePath> {
    disk.image().names.into_keys().collect()
}

/// Recovery itself: a crash is made that leaves it something to do, and its own calls are
/// recorded; with them those of the sessions that are taken up then, in another order than
/// before.
fn recoveries(of: &Recording, images: usize, seed: u64) -> Vec<Recording> {
    let log = of.disk.log();
    let mut dice = Dice(seed);
    let mut recordings = Vec::new();
    for _ in 0..images * 20 {
        let position = dice.below(log.len() + 1);
        let mut crash = Crash::of(of.start.clone());
        log[..position].iter().for_each(|change| crash.step(change));
        let choices = crash.choices(2, dice.next());
        let image = crash.image(&choices[dice.below(choices.len())]);
        // What the crash left decides which of those in doubt are there from now on.
        let reader = MemoryDisk::of(image.clone(), false);
        let Ok(shown) = Repository::open_read_only_on(storage(&reader)) else {
            continue;
        };
        let shown: HashSet<_> = shown
            .points(None, None)
            .iter()
            .map(|point| point.id)
            .collect();
        let mut committed = of.committed.clone();
        committed.retain(|_, point| point.asked <= position);
        for (id, point) in &mut committed {
            let confirmed = point.confirmed.is_some_and(|at| at <= position);
            point.asked = 0;
            let reached = |at: Option<usize>| at.filter(|at| *at <= position).map(|_| 0);
            (point.leaving, point.gone) = (reached(point.leaving), reached(point.gone));
            point.confirmed = (confirmed || shown.contains(id)).then_some(0);
        }
        let mut kept = of.kept.clone();
        kept.retain(|_, kept| kept.promised(position).is_some());
        for kept in kept.values_mut() {
            let promised = kept.promised(position).unwrap_or_default().to_vec();
            (kept.promises, kept.over) = (vec![(0, promised)], None);
        }
        let mut recording = Recording::on(image, committed);
        recording.kept = kept;
        recording.run(&going_on());
        assert_eq!(recording.errors, [] as [String; 0], "a sound disk");
        recording.repository = None;
        // The lock's note is written by every start; recovery is what comes on top.
        if recording.disk.position() > 6 {
            recordings.push(recording);
        }
        if recordings.len() == images {
            break;
        }
    }
    recordings
}

fn going_on() -> Vec<Step> {
    let mut steps = vec![Step::Open, Step::TakeAllUp];
    for slot in 0..4 {
        steps.extend([Step::Rest { slot }, Step::Sync { slot }]);
    }
    steps.extend((0..4).map(|slot| Step::Commit { slot }));
    steps
}

/// One image, to be run again: workload, position, number of the choice.
type Only = (String, usize, usize);

#[derive(Debug, Default)]
struct Run {
    only: Option<Only>,
    mixed: usize,
    calls: usize,
    opened: u64,
    same: u64,
}

impl Run {
    /// Builds and opens every image of a recording.
    fn enumerate(&mut self, name: &str, recording: &Recording) {
        if self
            .only
            .as_ref()
            .is_some_and(|(workload, ..)| workload != name)
        {
            return;
        }
        let log = recording.disk.log();
        self.calls += log.len();
        let mut seen = HashSet::new();
        let mut crash = Crash::of(recording.start.clone());
        for position in 0..=log.len() {
            if position > 0 {
                crash.step(&log[position - 1]);
            }
            for (number, left) in crash
                .choices(self.mixed, position as u64)
                .iter()
                .enumerate()
            {
                if self
                    .only
                    .as_ref()
                    .is_some_and(|(_, p, n)| (*p, *n) != (position, number))
                {
                    continue;
                }
                // The same may be left before and after a call; what it has to show can differ.
                let confirmed = recording
                    .committed
                    .values()
                    .filter_map(|point| point.confirmed);
                let promised = recording.kept.values().flat_map(|kept| {
                    let over = kept.over.into_iter();
                    kept.promises.iter().map(|(at, _)| *at).chain(over)
                });
                let due = confirmed.chain(promised).filter(|at| *at <= position);
                let due = due.count();
                if self.only.is_none() && !seen.insert((crash.signature(left), due)) {
                    self.same += 1;
                    continue;
                }
                let image = crash.image(left);
                if self.only.is_none() && !seen.insert((fingerprint(&image), due)) {
                    self.same += 1;
                    continue;
                }
                self.opened += 1;
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
                let call: String = call.unwrap_or_default().chars().take(120).collect();
                let left: Vec<_> = left
                    .iter()
                    .filter(|left| **left != Left::Nothing)
                    .take(8)
                    .collect();
                panic!(
                    "{wrong}\n  after call {position} ({call}), left: {left:?}\n  again: \
                     VAB_IMAGE={name}:{position}:{number} VAB_EFFORT={} cargo test -p \
                     vab-repository --test crash_images",
                    effort(),
                );
            }
        }
    }
}

fn effort() -> usize {
    std::env::var("VAB_EFFORT")
        .ok()
        .and_then(|effort| effort.parse().ok())
        .unwrap_or(1)
}

fn only() -> Option<Only> {
    let image = std::env::var("VAB_IMAGE").ok()?;
    let mut parts = image.split(':');
    let mut next = || parts.next().unwrap_or_default().to_owned();
    Some((next(), next().parse().unwrap(), next().parse().unwrap()))
}

#[test]
fn no_crash_loses_a_confirmed_restore_point() {
    let mut run = Run {
        only: only(),
        mixed: 3 * effort(),
        ..Run::default()
    };
    let mut workloads = fixed();
    workloads
        .extend((0..2 * effort() as u64).map(|seed| (format!("seed-{seed}"), generated(seed))));
    let count = workloads.len();
    for (name, steps) in workloads {
        let recording = Recording::of(&steps);
        let removed = recording
            .committed
            .values()
            .filter(|point| point.gone.is_some())
            .count();
        assert_eq!(
            removed > 0,
            name == "retention",
            "what the retention removes"
        );
        run.enumerate(&name, &recording);
        for (number, recovery) in recoveries(&recording, 3, 1).iter().enumerate() {
            run.enumerate(&format!("{name}-recovery-{number}"), recovery);
        }
    }
    println!(
        "{count} workloads and recoveries from them, {} calls",
        run.calls
    );
    println!(
        "crash images: {} opened, 0 lost ({} more were the same); {} sessions taken up after one, \
         {} of them with records behind their note",
        run.opened,
        run.same,
        TAKEN_UP.load(Ordering::Relaxed),
        BEHIND_THE_NOTE.load(Ordering::Relaxed)
    );
    assert!(run.opened > 0, "no image of that name");
}
