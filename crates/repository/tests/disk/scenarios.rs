//! What servers are asked to do: workloads that are written down, and ones drawn from a number.

use std::collections::{BTreeMap, HashSet};

use vab_chain::BackupKind::{self, Differential, Full, Log};

use super::crash::Dice;
use super::workload::{NOTE_INTERVAL, Step};
use crate::common::{Backup, request};

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
