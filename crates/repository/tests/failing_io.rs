//! Every call to the disk that a workload makes is made to fail, one after the other: with `EIO`,
//! with `ENOSPC`, as a write that takes a part only, and as a sync that fails and forgets. Every
//! failure comes back as an error; no confirmed restore point is lost by it, neither in the
//! server that goes on, nor after a restart, nor after a crash; and the next backup works.
//!
//! `VAB_EFFORT=N` takes N generated workloads beside the written ones (default 0).

#![expect(
    clippy::indexing_slicing,
    reason = "a test that fails is to end at once"
)]

mod common;
mod disk;

use std::collections::BTreeSet;

use common::{Backup, JOB, request};
use disk::crash::{Crash, Dice};
use disk::scenarios::{backup, fixed, generated};
use disk::workload::{Recording, Step, holds, open};
use disk::{Failure, Image, MemoryDisk};
use vab_chain::BackupKind::Log;
use vab_repository::StoredPoint;

/// How many calls a workload makes on a sound disk.
fn calls(steps: &[Step]) -> u64 {
    Recording::of(steps).disk.calls()
}

fn fails(steps: &[Step], call: u64, failure: Failure) -> (Recording, Option<&'static str>) {
    let mut recording = Recording::on(Image::default(), std::collections::BTreeMap::new());
    recording.disk.fail_at(call, failure);
    recording.run(steps);
    let failed = recording.disk.failed();
    recording.disk.no_failure();
    (recording, failed)
}

/// The guarantee, everywhere one can look.
fn check(recording: &mut Recording, effort: usize) -> Result<(), String> {
    let end = usize::MAX;
    if let Some(repository) = &recording.repository {
        holds(repository, &recording.committed, end)
            .map_err(|wrong| format!("at once: {wrong}"))?;
        // After a restart one in doubt may be there; a server never shows one that it failed.
        let failed_here = |point: &StoredPoint| {
            let known = &recording.committed[&point.id];
            known.confirmed.is_none() && known.server == recording.servers
        };
        if repository.points(None, None).iter().any(failed_here) {
            return Err("the server shows a restore point whose commit failed".to_owned());
        }
        // The server goes on: the next backup works, in a file that is trusted.
        let before = recording.committed.len();
        let errors = recording.errors.len();
        recording.run(&backup(Backup::new(901, &[&[600, 5000]]), "Sales", Log, 30));
        if recording.committed.len() == before || recording.errors.len() > errors {
            return Err(format!("the next backup failed: {:?}", recording.errors));
        }
    }
    recording.repository = None;
    let log = recording.disk.log();
    let mut crash = Crash::of(recording.start.clone());
    for change in &log {
        crash.step(change);
    }
    let mut images = vec![("a restart", recording.disk.image())];
    // All lost, all kept, and some of the others.
    let choices = crash.choices(2, log.len() as u64);
    let mut dice = Dice(log.len() as u64);
    let others = (0..=4 * effort).map(|_| dice.below(choices.len()));
    for number in [0, choices.len().min(2) - 1].into_iter().chain(others) {
        images.push(("a crash", crash.image(&choices[number])));
    }
    for (after, image) in images {
        let disk = MemoryDisk::of(image, false);
        let repository = open(&disk).map_err(|wrong| format!("after {after}: {wrong}"))?;
        holds(&repository, &recording.committed, end)
            .map_err(|wrong| format!("after {after}: {wrong}"))?;
        let wanted = request("Sales", Log, 1, 31);
        let backup = Backup::new(902, &[&[700]]);
        let session = repository
            .begin(wanted.clone())
            .map_err(|e| format!("after {after}: {e}"))?;
        backup
            .write_all(&session)
            .map_err(|e| format!("after {after}: {e}"))?;
        backup
            .commit(session, &wanted)
            .map_err(|e| format!("after {after}: {e}"))?;
    }
    Ok(())
}

#[test]
fn no_failing_call_loses_a_confirmed_restore_point() {
    let effort: usize = std::env::var("VAB_EFFORT")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(0);
    let only = std::env::var("VAB_CALL").ok();
    let mut workloads = fixed();
    workloads.extend((0..effort as u64).map(|seed| (format!("seed-{seed}"), generated(seed))));
    let (mut count, mut kinds, mut silent) = (0_u64, BTreeSet::new(), BTreeSet::new());
    for (name, steps) in workloads {
        for call in 0..calls(&steps) {
            for failure in [Failure::Device, Failure::Full, Failure::Short] {
                let this = format!("{name}:{call}:{failure:?}");
                if only.as_ref().is_some_and(|only| *only != this) {
                    continue;
                }
                let (mut recording, failed) = fails(&steps, call, failure);
                let Some(failed) = failed else {
                    continue;
                };
                if failure == Failure::Short && failed != "write" {
                    continue;
                }
                count += 1;
                kinds.insert(failed);
                // What is not reported to the caller must be in the server's notices.
                let last = recording
                    .repository
                    .as_ref()
                    .map_or(0, |r| r.notices().len());
                let noticed = recording.noticed + last;
                let stopping = recording.stopping.iter().any(|calls| calls.contains(&call));
                if recording.errors.is_empty() && noticed == 0 && !stopping {
                    silent.insert(this.clone());
                }
                if let Err(wrong) = check(&mut recording, effort) {
                    panic!(
                        "{failed} failed: {wrong}\n  errors: {:?}\n  again: VAB_CALL={this} \
                         VAB_EFFORT={effort} cargo test -p vab-repository --test failing_io",
                        recording.errors
                    );
                }
            }
        }
    }
    println!("kinds of calls: {kinds:?}");
    assert_eq!(silent, BTreeSet::new(), "no failure goes without a word");
    println!("failing io: {count} calls failed, 0 lost");
    assert!(count > 0, "no call of that name");
}

#[test]
fn a_full_disk_is_named_with_what_to_do() {
    let steps = backup(Backup::new(1, &[&[5000]]), "Sales", Log, 0);
    let mut recording = Recording::on(Image::default(), std::collections::BTreeMap::new());
    recording.run(&[Step::Open]);
    let mut named = false;
    for call in 0..12 {
        recording.disk.fail_at(call, Failure::Full);
        recording.run(&steps);
        recording.disk.no_failure();
        named |= recording.errors.iter().any(|error| {
            error.contains(JOB)
                && error.contains("no space left")
                && error.contains("free or add space")
        });
    }
    assert!(named, "{:?}", recording.errors);
}

#[test]
fn after_a_failed_sync_the_next_session_gets_a_new_file() {
    let mut steps = vec![Step::Open];
    steps.extend(backup(Backup::new(1, &[&[500]]), "Sales", Log, 0));
    let mut recording = Recording::of(&steps);
    let append = backup(Backup::new(2, &[&[500]]), "Sales", Log, 1);
    let file = |recording: &Recording| {
        let points = recording.repository.as_ref().map(|r| r.points(None, None));
        points.and_then(|points| points.last().map(|point| point.file.clone()))
    };
    let first = file(&recording);
    // open, length, write, index…: the first sync is found by trying.
    for call in 0..20 {
        recording.disk.fail_at(call, Failure::Device);
        recording.run(&append);
        if recording.disk.failed() == Some("sync") {
            break;
        }
    }
    assert_eq!(recording.disk.failed(), Some("sync"));
    recording.disk.no_failure();
    recording.run(&backup(Backup::new(3, &[&[500]]), "Sales", Log, 2));
    assert_ne!(file(&recording), first);
    let third = recording
        .committed
        .values()
        .find(|point| point.backup.number == 3);
    assert!(third.is_some_and(|point| point.confirmed.is_some()));
}
