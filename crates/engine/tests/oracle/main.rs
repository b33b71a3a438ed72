//! The planner against the engine: random histories, random targets.
//!
//! Whatever `vab-chain` plans is run on the embedded engine and has to give exactly the rows that
//! the history had at that moment; where it says that a state cannot be reached, every legal
//! sequence is tried on the engine and has to fail; and no plan may be longer than the shortest
//! sequence that works. The two share no logic.
//!
//! `VAB_EFFORT=n` plays n times as many histories; `VAB_SEED=s` plays one.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails loudly"
)]

mod history;
mod lab;
mod random;
mod standing;

use std::collections::HashSet;

use vab_chain::{
    BackupKind, Chain, PointId, RetentionPolicy, Stored, Target, UnreachableCause, UtcTime,
};

use history::{History, MARKS, Marked};
use lab::{Goal, Lab};
use random::Random;
use standing::check_standing;

const HISTORIES: u64 = 100;
const TARGETS: usize = 8;

#[derive(Default)]
struct Tally {
    histories: u64,
    targets: u64,
    planned: u64,
    /// Plans for a database that was restored in part already.
    went_on: u64,
    disagreements: u64,
}

#[test]
fn plans_are_what_the_engine_does() {
    let seeds = seeds();
    let mut tally = Tally::default();
    for seed in seeds {
        let history = History::play(seed);
        let mut random = Random(seed ^ 0xfeed);
        tally.histories += 1;
        for _ in 0..TARGETS {
            tally.targets += 1;
            if let Err(disagreement) = check(&history, &mut random, &mut tally) {
                tally.disagreements += 1;
                eprintln!("seed {seed}: {disagreement}");
                history.describe();
                eprintln!("replay: VAB_SEED={seed} cargo test -p vab-engine --test oracle plans");
            }
        }
    }
    println!(
        "oracle: {} histories, {} targets ({} planned, {} of them from a restore under way), {} disagreements",
        tally.histories, tally.targets, tally.planned, tally.went_on, tally.disagreements
    );
    assert_eq!(tally.disagreements, 0);
}

fn seeds() -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    match number("VAB_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..HISTORIES * number("VAB_EFFORT").unwrap_or(1),
    }
}

/// Plans for one random target and checks the plan, or that there is none.
fn check(history: &History, random: &mut Random, tally: &mut Tally) -> Result<(), String> {
    let chain = history.chain(|_| true);
    let lab = Lab::new(history);
    match random.below(16) {
        14..=15 => check_standing(history, &chain, &lab, random, tally),
        10..=11 => check_mark(history, &chain, &lab, random, tally),
        12..=13 => {
            let Some(mark) = pick(&history.marks, random) else {
                return Ok(());
            };
            if !chain.forks().any(|fork| fork == mark.fork) {
                return Ok(());
            }
            let target = Target::Lsn {
                lsn: mark.lsn,
                fork: Some(mark.fork),
                including: true,
            };
            let truth = history.truth_at(mark.fork, mark.end);
            let goal = Goal::Behind(mark.fork, mark.lsn, mark.end);
            check_goal(&chain, &lab, &target, goal, truth, tally)
        }
        0 => check_latest(history, &chain, &lab, tally),
        1..=5 => {
            let time = if random.below(3) == 0 {
                history.kept[random.below(history.kept.len())].set.finished
            } else {
                history.moments[random.below(history.moments.len())]
            };
            let truth = history.truth(time);
            check_goal(
                &chain,
                &lab,
                &Target::Time(time),
                Goal::Time(time),
                truth,
                tally,
            )
        }
        6..=7 => {
            let kept = &history.kept[random.below(history.kept.len())];
            let (fork, place) = (kept.set.last_fork.unwrap(), kept.set.last_lsn);
            let truth = history.truth_at(fork, place);
            let target = Target::Point(kept.point());
            if kept.known && kept.usable && kept.set.kind == BackupKind::Log {
                let goal = Goal::Place(fork, place);
                return check_goal(&chain, &lab, &target, goal, truth, tally);
            }
            // Another way to the state of a data backup is no way to that backup.
            let base = kept.set.differential_base.and_then(|base| base.id);
            let base_is_there = base.is_none_or(|base| {
                let mut kept = history.kept.iter();
                kept.any(|full| full.set.id == base && full.known && full.usable)
            });
            let possible = kept.known && kept.usable && base_is_there;
            match chain.plan(&target) {
                Ok(plan) if possible => same(&lab, &plan, truth),
                Ok(plan) => Err(format!("{target:?} cannot be, but is planned:\n{plan}")),
                Err(error) if possible => Err(format!("{target:?}: {error}")),
                Err(_) => Ok(()),
            }
        }
        _ => {
            let branch = &history.branches[random.below(history.branches.len())];
            if branch.commits.is_empty() || !chain.forks().any(|fork| fork == branch.fork) {
                return Ok(());
            }
            let (lsn, ..) = branch.commits[random.below(branch.commits.len())];
            let target = Target::Lsn {
                lsn,
                fork: Some(branch.fork),
                including: false,
            };
            let truth = history.truth_at(branch.fork, lsn);
            check_goal(
                &chain,
                &lab,
                &target,
                Goal::Place(branch.fork, lsn),
                truth,
                tally,
            )
        }
    }
}

fn pick<'a, T>(from: &'a [T], random: &mut Random) -> Option<&'a T> {
    (!from.is_empty()).then(|| &from[random.below(from.len())])
}

/// The first mark of a name, on the newest fork that is known to have one.
fn check_mark(
    history: &History,
    chain: &Chain,
    lab: &Lab<'_>,
    random: &mut Random,
    tally: &mut Tally,
) -> Result<(), String> {
    let name = MARKS[random.below(MARKS.len())];
    let after = pick(&history.moments, random)
        .copied()
        .filter(|_| random.below(2) == 0);
    let including = random.below(2) == 0;
    let target = Target::Mark {
        name: name.to_owned(),
        after,
        including,
    };
    let told = |mark: &&Marked| {
        let mut sets = history.kept.iter().filter(|kept| kept.known);
        let in_it = |of: &vab_chain::Mark| of.lsn == mark.lsn && of.time == mark.time;
        let meant = mark.name == name && after.is_none_or(|after| mark.time >= after);
        meant && sets.any(|kept| kept.set.marks.iter().any(in_it))
    };
    let first = history.branches.iter().rev().find_map(|branch| {
        let end = (branch.fork, vab_chain::Lsn::MAX);
        let on_it =
            |mark: &&Marked| history.holds(mark, end) && history.tells_way(mark.fork, branch.fork);
        let marks = history.marks.iter().filter(told).filter(on_it);
        marks.min_by_key(|mark| mark.lsn)
    });
    let Some(mark) = first else {
        return match chain.plan(&target) {
            Ok(plan) => Err(format!("{target:?} is not there, but is planned:\n{plan}")),
            Err(_) => Ok(()),
        };
    };
    if including {
        let truth = history.truth_at(mark.fork, mark.end);
        let goal = Goal::Behind(mark.fork, mark.lsn, mark.end);
        check_goal(chain, lab, &target, goal, truth, tally)
    } else {
        let truth = history.truth_at(mark.fork, mark.lsn);
        let goal = Goal::Place(mark.fork, mark.lsn);
        check_goal(chain, lab, &target, goal, truth, tally)
    }
}

fn check_goal(
    chain: &Chain,
    lab: &Lab<'_>,
    target: &Target,
    goal: Goal,
    truth: &history::Rows,
    tally: &mut Tally,
) -> Result<(), String> {
    let (shortest, _) = lab.shortest(Some(goal));
    match chain.plan(target) {
        Ok(plan) => {
            tally.planned += 1;
            same(lab, &plan, truth).map_err(|error| format!("{target:?}: {error}\n{plan}"))?;
            match shortest {
                Some(shortest) if shortest < plan.steps.len() => {
                    Err(format!("{target:?}: {shortest} steps are enough:\n{plan}"))
                }
                _ => Ok(()),
            }
        }
        Err(error) => match shortest {
            None => Ok(()),
            Some(steps) => Err(format!("{target:?}: {steps} steps lead there, but {error}")),
        },
    }
}

fn same(lab: &Lab<'_>, plan: &vab_chain::Plan, truth: &history::Rows) -> Result<(), String> {
    let rows = lab.run(plan)?;
    if rows == *truth {
        Ok(())
    } else {
        Err(format!("other rows:\n{rows:?}\n{truth:?}"))
    }
}

fn check_latest(
    history: &History,
    chain: &Chain,
    lab: &Lab<'_>,
    tally: &mut Tally,
) -> Result<(), String> {
    let (_, places) = lab.shortest(None);
    let plan = match chain.plan(&Target::Latest) {
        Ok(plan) => plan,
        Err(_) if places.is_empty() => return Ok(()),
        Err(error) => return Err(format!("something can be restored, but {error}")),
    };
    tally.planned += 1;
    let place = (plan.reaches.fork.unwrap(), plan.reaches.lsn.unwrap());
    same(lab, &plan, history.truth_at(place.0, place.1)).map_err(|e| format!("{e}\n{plan}"))?;
    // Nothing on the way to the newest fork is further.
    let newest = chain.newest_fork().unwrap();
    let end = (newest, vab_chain::Lsn::MAX);
    let further = places.keys().find(|other| {
        history.is_before(**other, end)
            && history.is_before(place, **other)
            && **other != history.owner(place.0, place.1)
    });
    match further {
        // With a note, the way to the newest fork is not known to the chain.
        Some(further) if plan.notes.is_empty() => Err(format!("{further:?} is later than\n{plan}")),
        _ => Ok(()),
    }
}

/// Retention over the same histories: what is promised stays restorable, the rest goes.
#[test]
fn retention_keeps_what_it_promises_and_no_more() {
    let mut points = 0;
    let mut gone = 0;
    let seeds = seeds();
    let histories = seeds.end - seeds.start;
    for seed in seeds {
        let history = History::play(seed);
        let mut random = Random(seed ^ 0xbeef);
        let chain = history.chain(|_| true);
        // A second of the history is an hour of the repository.
        let clock = |time: vab_chain::ServerTime| {
            let begin = history.kept[0].set.finished.as_micros();
            UtcTime::from_micros((time.as_micros() - begin) * 3600)
        };
        let stored: Vec<Stored<PointId>> = history
            .kept
            .iter()
            .filter(|kept| kept.known)
            .map(|kept| Stored {
                point: kept.point(),
                file: kept.point(),
                committed: clock(kept.set.finished),
                held: false,
            })
            .collect();
        let days = u32::try_from(random.below(5)).unwrap();
        let now = clock(history.now());
        let fate = chain.retention(&stored, &RetentionPolicy::days(days), now);
        let left: HashSet<_> = fate.remaining().collect();
        let after = history.chain(|kept| left.contains(&kept.point()));
        let keep_for = i64::from(days) * 24 * 3_600_000_000;
        for place in &stored {
            points += 1;
            let young = now.micros_since(place.committed) < keep_for;
            let before_state = chain.state(place.point).unwrap();
            if !young {
                gone += u64::from(!left.contains(&place.point));
                continue;
            }
            let after_state = after.state(place.point);
            let kept =
                after_state.is_some_and(|s| s.is_restorable() == before_state.is_restorable());
            assert!(kept, "seed {seed}: {} is promised and lost", place.point);
        }
        // What stays longer has a reason: it is active, or its chain has a young point.
        for fate in fate.chains.iter().filter(|fate| fate.verdict.keeps()) {
            let young = now.micros_since(fate.last) < keep_for;
            let active = fate.verdict == vab_chain::Verdict::Keep(vab_chain::KeepReason::Active);
            assert!(young || active, "seed {seed}: {fate:?} stays for no reason");
        }
        let plan = |chain: &Chain| chain.plan(&Target::Latest);
        if let Ok(before) = plan(&chain)
            && before.notes.is_empty()
        {
            let lab = Lab::new(&history);
            let place = (before.reaches.fork.unwrap(), before.reaches.lsn.unwrap());
            let after = plan(&after).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            same(&lab, &after, history.truth_at(place.0, place.1))
                .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        }
    }
    println!(
        "retention: {histories} histories, {points} points, {gone} of the old ones gone, 0 promised ones lost"
    );
    assert!(gone > 0);
}

/// The causes that are named are seen, so that the histories are known to be rich enough.
#[test]
fn the_histories_hold_every_kind_of_break() {
    let mut seen = HashSet::new();
    for seed in 0..4 * HISTORIES {
        let history = History::play(seed);
        let chain = history.chain(|_| true);
        for time in &history.moments {
            if let Err(error) = chain.plan(&Target::Time(*time)) {
                seen.insert(error.cause.code());
            }
        }
        for point in chain.points() {
            if let Err(error) = chain.plan(&Target::Point(point.id)) {
                seen.insert(error.cause.code());
                if let UnreachableCause::LogGap { from, to, .. } = *error.cause {
                    assert!(from < to, "seed {seed}: an empty gap");
                }
            }
        }
    }
    for code in [
        "log_gap",
        "base_missing",
        "base_unusable",
        "unusable",
        "past_end",
        "no_full_before",
        "bulk_logged",
    ] {
        assert!(seen.contains(code), "{code} is not among {seen:?}");
    }
}
