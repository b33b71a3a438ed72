//! Everything that can go wrong, at every stage, for every back end: both sides end as documented
//! and leave nothing behind.
//!
//! All cases run in one test, one after another, because threads and handles of the process are
//! counted.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;
mod fault_case;

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use common::{Both, LIMIT};
use fault_case::{Case, Fault, Stage};
use vab_vdi::Direction;

type Backend = fn() -> Both;

/// The back ends, by name.
fn backends() -> Vec<(&'static str, Backend)> {
    let mut backends = vec![("memory", common::memory as Backend)];
    #[cfg(any(unix, windows))]
    backends.extend([
        ("pipe", common::pipe as Backend),
        ("plain pipe", common::plain_pipe),
    ]);
    #[cfg(any(target_os = "linux", windows))]
    if common::native().is_some() {
        backends.push(("native", || common::native().unwrap()));
    }
    backends
}

fn faults(devices: usize) -> Vec<Fault> {
    use Stage::{Barrier, Configured, Created, Open, Transfer};
    let met = [Configured, Open, Transfer, Barrier];
    let all = [Created, Configured, Open, Transfer, Barrier];
    let mut faults = vec![Fault::None, Fault::ClientNeverComes, Fault::SinkFull];
    faults.extend(met.map(Fault::EngineDies));
    faults.extend(all.map(Fault::ClientDies));
    faults.extend(all.map(Fault::ClientAborts));
    faults.extend(met.map(Fault::EngineAborts));
    faults.extend(all.map(Fault::Timeout));
    faults.extend((0..devices).map(Fault::DeviceFails));
    faults
}

#[test]
fn every_fault_ends_both_sides_as_documented() {
    let (mut cases, mut wrong) = (0, Vec::new());
    // The first run makes what a process keeps, such as the test harness's output.
    for round in 0..2 {
        for (name, backend) in backends() {
            for direction in [Direction::Backup, Direction::Restore] {
                for devices in [1, 4] {
                    for fault in faults(devices) {
                        if round == 0 && fault != Fault::None {
                            continue;
                        }
                        let case = Case {
                            direction,
                            devices,
                            fault,
                        };
                        cases += round;
                        if let Err(what) = run(backend, case) {
                            wrong.push(format!("{name} {case:?}: {what}"));
                        }
                    }
                }
            }
        }
    }
    println!("fault matrix: {cases} cases, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Runs one case on a thread of its own, so that a case that is stuck is seen.
fn run(backend: Backend, case: Case) -> Result<(), String> {
    let before = held();
    let (done, result) = mpsc::channel();
    let runner = thread::spawn(move || done.send(case.run(&backend())).unwrap());
    let outcome = result
        .recv_timeout(LIMIT)
        .map_err(|_| "stuck, or panicked".to_owned())?;
    runner.join().unwrap();
    // A thread that was joined may be listed by the system for a moment longer.
    let after = (0..1000).map(|_| held()).find(|after| {
        thread::sleep(Duration::from_millis(u64::from(*after != before)));
        *after == before
    });
    if after.is_none() {
        let after = held();
        return Err(format!(
            "threads and handles were {before:?} before and are {after:?}"
        ));
    }
    case.check(&outcome)
}

/// Threads and open handles of this process.
fn held() -> Option<(usize, usize)> {
    let count = |folder| Some(std::fs::read_dir(folder).ok()?.count());
    cfg!(target_os = "linux").then(|| Some((count("/proc/self/task")?, count("/proc/self/fd")?)))?
}
