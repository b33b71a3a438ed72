//! What is compared, in turns.

#[cfg(unix)]
use std::time::Duration;

#[cfg(unix)]
use vab_vdi::pipe::Directory;

#[cfg(unix)]
use crate::stream::{Took, copy, through};

#[cfg(unix)]
const MIB: usize = 1 << 20;
/// Commands of 1 MiB in one measurement.
#[cfg(unix)]
const COUNT: u32 = 512;
/// Commands of 512 bytes in one measurement.
#[cfg(unix)]
const SMALL: u32 = 10_000;

/// Prints the ratios; says whether all are as wanted.
#[cfg(unix)]
pub(crate) fn run(rounds: usize) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let shared = Directory::open(folder.path()).unwrap();
    let [four, eight] = [4, 8].map(|depth| great(&shared, depth, rounds));
    let small = small(&shared, rounds);
    let met = [
        at_least(
            "rate of the pipe with shared memory to that of the copy, 4 outstanding",
            four.rate,
            0.8,
        ),
        at_least(
            "rate of the pipe with shared memory to that of the copy, 8 outstanding",
            eight.rate,
            0.8,
        ),
        at_least(
            "rate of the pipe with shared memory to that of sockets",
            four.sockets.min(eight.sockets),
            2.0,
        ),
        at_least(
            "20 µs to the work for a command through the pipe",
            20.0 / small,
            1.0,
        ),
    ];
    met.into_iter().all(|met| met)
}

/// Ratios of the pipe with shared memory.
#[cfg(unix)]
struct Ratios {
    /// To the copy, by the clock: neighbours take turns with the threads that are measured.
    rate: f64,
    /// To the copy, by what the processors worked.
    work: f64,
    /// To sockets, by the clock.
    sockets: f64,
}

#[cfg(unix)]
fn great(shared: &Directory, depth: u32, rounds: usize) -> Ratios {
    let sockets = shared.clone().without_shared_memory();
    let through = |to| through(to, depth as usize, MIB, COUNT);
    let mut took: [Vec<Took>; 3] = Default::default();
    for _ in 0..rounds {
        // The copy before and after, so that what changes meanwhile weighs on both alike.
        let before = copy(depth, MIB, COUNT / 2);
        let through_shared = through(shared);
        let after = copy(depth, MIB, COUNT / 2);
        let through_sockets = through(&sockets);
        let copied = Took {
            wall: before.wall + after.wall,
            work: before.work + after.work,
        };
        push(&mut took, [copied, through_shared, through_sockets]);
    }
    println!("\n1 MiB commands, {depth} outstanding: medians of {rounds} rounds in turns");
    for (name, took) in ["copy in memory", SHARED, SOCKETS].iter().zip(&took) {
        let rate = 1e6 / by(took, COUNT, |took| took.wall);
        let work = by(took, COUNT, |took| took.work);
        println!("  {name:<20} {rate:8.0} MiB/s by the clock, {work:7.1} µs of work for each");
    }
    let [copied, in_shared, in_sockets] = &took;
    let ratios = Ratios {
        rate: over(copied, in_shared, |took| took.wall),
        work: over(copied, in_shared, |took| took.work),
        sockets: over(in_sockets, in_shared, |took| took.wall),
    };
    println!(
        "  shared memory to the copy: rate {:.2}, work {:.2}; to sockets: rate {:.1}",
        ratios.rate, ratios.work, ratios.sockets
    );
    ratios
}

/// The work for a small command through the pipe, in microseconds.
#[cfg(unix)]
fn small(shared: &Directory, rounds: usize) -> f64 {
    let sockets = shared.clone().without_shared_memory();
    let memory = vab_vdi::memory::Hub::new();
    let mut took: [Vec<Took>; 3] = Default::default();
    for _ in 0..rounds {
        let each = [
            through(&memory, 4, 512, SMALL),
            through(shared, 4, 512, SMALL),
            through(&sockets, 4, 512, SMALL),
        ];
        push(&mut took, each);
    }
    println!("\ncommands of 512 bytes, 4 outstanding: medians");
    for (name, took) in ["memory", SHARED, SOCKETS].iter().zip(&took) {
        let wall = by(took, SMALL, |took| took.wall);
        let work = by(took, SMALL, |took| took.work);
        println!("  {name:<20} {wall:8.1} µs by the clock, {work:7.1} µs of work on both sides");
    }
    let [_, in_shared, _] = &took;
    by(in_shared, SMALL, |took| took.work)
}

#[cfg(unix)]
const SHARED: &str = "pipe, shared memory";
#[cfg(unix)]
const SOCKETS: &str = "pipe, sockets";

#[cfg(unix)]
fn push(to: &mut [Vec<Took>; 3], from: [Took; 3]) {
    for (to, from) in to.iter_mut().zip(from) {
        to.push(from);
    }
}

/// The median of the times in microseconds for one of `count`.
#[cfg(unix)]
fn by(took: &[Took], count: u32, which: impl Fn(&Took) -> Duration) -> f64 {
    let times = took.iter().map(|took| which(took).as_secs_f64());
    median(times.collect()) * 1e6 / f64::from(count)
}

/// The median of the ratios of each round.
#[cfg(unix)]
fn over(one: &[Took], other: &[Took], which: impl Fn(&Took) -> Duration) -> f64 {
    let rounds = one.iter().zip(other);
    let ratio =
        |(one, other): (&Took, &Took)| which(one).as_secs_f64() / which(other).as_secs_f64();
    median(rounds.map(ratio).collect())
}

/// There is no pipe to measure.
#[cfg(not(unix))]
pub(crate) fn run(_rounds: usize) -> bool {
    true
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

pub(crate) fn at_least(what: &str, ratio: f64, wanted: f64) -> bool {
    let met = ratio >= wanted;
    let verdict = if met { "met" } else { "NOT met" };
    println!("{what}: {ratio:.2}, wanted {wanted:.2} at least: {verdict}");
    met
}
