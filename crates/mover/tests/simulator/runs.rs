use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::backup::Outcome;
use crate::tally::{Tally, Trouble};
use crate::{backup, restore};

/// Runs of each kind at effort 1.
const RUNS: u64 = 1000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .and_then(|value| value.parse().ok())
}

/// Makes the runs; ends with a panic that names the command to repeat the first wrong ones.
/// Every kind of trouble in `kinds` must have occurred.
fn runs(test: &str, kinds: &[Trouble], run: impl Fn(u64, bool) -> (bool, Tally)) {
    if let Some(seed) = number("VAB_SEED") {
        let (_, tally) = run(seed, true);
        println!("simulator: {test}, seed {seed}: {tally}");
        return;
    }
    let count = RUNS * number("VAB_EFFORT").unwrap_or(1).max(1);
    let first = number("VAB_FIRST_SEED").unwrap_or_default();
    let (mut wrong, mut good, mut tally) = (Vec::new(), 0, Tally::default());
    for seed in first..first + count {
        if let Ok((success, troubles)) = catch_unwind(AssertUnwindSafe(|| run(seed, false))) {
            good += u64::from(success);
            tally.add(&troubles);
        } else {
            eprintln!(
                "seed {seed} is wrong; repeat it with: VAB_SEED={seed} cargo test -p vab-mover --test simulator {test} -- --nocapture"
            );
            wrong.push(seed);
        }
        if wrong.len() >= 10 {
            break;
        }
    }
    println!(
        "simulator: {test}, {count} runs from seed {first}: {} wrong, {good} to a good end; {tally}",
        wrong.len()
    );
    assert!(wrong.is_empty(), "wrong seeds: {wrong:?}");
    for kind in kinds {
        assert!(tally.of(*kind) > 0, "{kind:?} never occurred");
    }
    assert!(good > count / 2, "only {good} came to a good end");
}

/// The clock of a source was put back, and its dead connection looked alive for as long: the
/// target gave the session up meanwhile.
#[test]
fn backup_seeds_33068_3034_and_5640() {
    for seed in [33068, 3034, 5640] {
        backup::run(seed, false);
    }
}

#[test]
fn backups() {
    let kinds = [Trouble::BOTH.as_slice(), Trouble::BACKUP.as_slice()].concat();
    runs("backups", &kinds, |seed, trace| {
        let (outcome, tally) = backup::run(seed, trace);
        (outcome == Outcome::Committed, tally)
    });
}

#[test]
fn restores() {
    runs("restores", &Trouble::BOTH, restore::run);
}
