//! How fast commands go through the devices of each back end.
//!
//! `cargo bench -p vab-vdi` measures each alone, and then side by side: what is compared runs in
//! turns, in one process, and the ratios are medians over the rounds, because other work on the
//! machine disturbs each single measurement. Both are printed, the time by the clock and the work of
//! the processors on all threads. What the first use of the memory costs is in neither. A side that
//! waits looks for the other one for a moment before it rests, if a processor is left for that: so on
//! an idle machine there is more work than the copy's, up to twice as much, and less time.
//! `cargo bench -p vab-vdi -- sides` does only what is side by side. The last lines say what is
//! wanted of a machine with nothing else to do, and whether it was met; with `VAB_BENCH_STRICT=1` the
//! program fails when it was not.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a bench fails by panicking"
)]

mod alone;
mod many;
mod sides;
mod stream;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().collect();
    let only_sides = arguments.iter().any(|argument| argument == "sides");
    // `cargo test --benches` only wants to know whether it runs.
    let rounds = if arguments.iter().any(|argument| argument == "--bench") {
        11
    } else {
        1
    };
    if !only_sides {
        let mut criterion = criterion::Criterion::default().configure_from_args();
        alone::run(&mut criterion);
        criterion.final_summary();
    }
    let met = sides::run(rounds) & many::run(rounds);
    let strict = std::env::var_os("VAB_BENCH_STRICT").is_some();
    if met || !strict {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
