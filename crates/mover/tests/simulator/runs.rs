use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::backup::Outcome;
use crate::{backup, restore};

/// Runs of each kind at effort 1.
const RUNS: u64 = 1000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .and_then(|value| value.parse().ok())
}

/// Makes the runs; ends with a panic that names the command to repeat the first wrong one.
fn runs(test: &str, run: impl Fn(u64, bool) -> bool) -> u64 {
    if let Some(seed) = number("VAB_SEED") {
        run(seed, true);
        return 1;
    }
    let count = RUNS * number("VAB_EFFORT").unwrap_or(1).max(1);
    let (mut wrong, mut good) = (Vec::new(), 0);
    for seed in 0..count {
        if let Ok(success) = catch_unwind(AssertUnwindSafe(|| run(seed, false))) {
            good += u64::from(success);
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
        "simulator: {count} runs, {} wrong ({test}: {good} to a good end)",
        wrong.len()
    );
    assert!(wrong.is_empty(), "wrong seeds: {wrong:?}");
    good
}

#[test]
fn backups() {
    let good = runs("backups", |seed, trace| {
        backup::run(seed, trace) == Outcome::Committed
    });
    if number("VAB_SEED").is_none() {
        assert!(good > RUNS / 2, "only {good} backups came to a good end");
    }
}

#[test]
fn restores() {
    let good = runs("restores", restore::run);
    if number("VAB_SEED").is_none() {
        assert!(good > RUNS / 2, "only {good} restores came to a good end");
    }
}
