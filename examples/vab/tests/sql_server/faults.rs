//! What can go wrong with a statement, for backups and restores, over one device and over four.

use crate::common::Ran;
use crate::lab::{Lab, sales};
use crate::stand_in::fault::Fault;

/// What is to be seen of a fault.
struct Case {
    fault: Fault,
    /// The exit code.
    code: i32,
    /// In the message.
    words: &'static str,
}

const CASES: [Case; 5] = [
    Case {
        fault: Fault::Refused(262, "permission denied in database 'Sales'."),
        code: 9,
        words: "permission denied in database 'Sales'. (state 1) (message 262)",
    },
    Case {
        fault: Fault::InTheMiddle(3257, "There is insufficient free space on disk volume."),
        code: 9,
        words: "insufficient free space on disk volume. (state 1) (message 3257)",
    },
    Case {
        fault: Fault::AtTheEnd(3041, "It failed to complete after all."),
        code: 9,
        words: "It failed to complete after all. (state 1) (message 3041)",
    },
    Case {
        fault: Fault::Dropped,
        code: 1,
        words: "the connection to SQL Server broke while the statement ran",
    },
    Case {
        fault: Fault::DevicesDie,
        code: 9,
        words: "(message 3202)",
    },
];

fn lab() -> Lab {
    let lab = Lab::new(sales);
    lab.put(0..8_000, "a row of some length");
    lab.checkpoint("Sales");
    lab
}

fn wrong(what: &str, ran: &Ran, case: &Case) -> Option<String> {
    let right = ran.status.code() == Some(case.code)
        && ran.stderr.contains(case.words)
        && !ran.stderr.contains("panicked");
    (!right).then(|| format!("{what}, {:?}: {ran:?}", case.fault))
}

#[test]
fn every_fault_is_told_by_its_cause_and_leaves_nothing() {
    let (mut cases, mut faulty) = (0, Vec::new());
    for streams in ["1", "4"] {
        let lab = lab();
        for case in &CASES {
            cases += 1;
            *lab.sql.fault.lock().unwrap() = Some(case.fault);
            let ran = lab.backup("full", &["--streams", streams, "--tries", "1"]);
            faulty.extend(wrong(&format!("backup over {streams}"), &ran, case));
            if !lab.points().is_empty() {
                faulty.push(format!(
                    "backup over {streams}, {:?}: a restore point",
                    case.fault
                ));
            }
        }
        // After all that the next one is as good as any.
        lab.backup("full", &["--streams", streams]).success();
        assert_eq!(lab.points().len(), 1);
        for (number, case) in CASES.iter().enumerate() {
            cases += 1;
            let name = format!("Copy{number}");
            *lab.sql.fault.lock().unwrap() = Some(case.fault);
            let ran = lab.restore(&["--as", &name]);
            faulty.extend(wrong(&format!("restore over {streams}"), &ran, case));
            // What is left of it is out of the way with consent.
            lab.restore(&["--as", &name, "--replace"]).success();
            if lab.rows(&name) != lab.rows("Sales") {
                faulty.push(format!(
                    "restore over {streams}, {:?}: other rows",
                    case.fault
                ));
            }
        }
    }
    println!("{cases} cases, {} wrong", faulty.len());
    assert!(faulty.is_empty(), "{faulty:#?}");
}

/// Ctrl-C in the middle of the data.
#[cfg(unix)]
#[test]
fn an_interrupt_in_the_middle_ends_the_statement_and_the_set() {
    use std::time::Duration;

    let (mut cases, mut faulty) = (0, Vec::new());
    for streams in ["1", "4"] {
        for restores in [false, true] {
            cases += 1;
            let lab = lab();
            if restores {
                lab.backup("full", &["--streams", streams]).success();
            }
            let points = lab.points().len();
            *lab.sql.fault.lock().unwrap() = Some(Fault::Hangs);
            let arguments = if restores {
                let server = lab.server.address.as_str();
                vec![
                    "restore",
                    "--server",
                    server,
                    "--database",
                    "Sales",
                    "--as",
                    "Copy",
                ]
            } else {
                lab.backup_arguments("full", &["--streams", streams])
            };
            let mut child = lab
                .command(&arguments)
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .unwrap();
            // The fault is taken when the statement begins; give it the time to hang.
            let begun = |lab: &Lab| lab.sql.fault.lock().unwrap().is_none();
            for _ in 0..20_000 {
                if begun(&lab) {
                    break;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_millis(300));
            crate::common::signal("INT", child.id());
            let status = child.wait().unwrap();
            let case = format!("restores: {restores}, over {streams}");
            if status.code() != Some(130) {
                faulty.push(format!("{case}: {status:?}"));
            }
            if lab.points().len() != points {
                faulty.push(format!("{case}: a restore point"));
            }
            // The statement is over: the next one is not refused.
            let ran = if restores {
                lab.restore(&["--as", "Copy", "--replace"])
            } else {
                lab.backup("full", &["--tries", "5", "--retry-wait", "1"])
            };
            if !ran.status.success() {
                faulty.push(format!("{case}: {ran:?}"));
            }
        }
    }
    println!("{cases} cases, {} wrong", faulty.len());
    assert!(faulty.is_empty(), "{faulty:#?}");
}

/// A disk that is full where backups go.
#[cfg(target_os = "linux")]
#[test]
fn a_full_repository_ends_the_statement() {
    let mut cases = 0;
    for streams in ["1", "4"] {
        let Some(disk) = crate::common::small_disk("4m") else {
            println!("skipped: a small disk can only be mounted by the superuser");
            return;
        };
        let lab = Lab::in_repository(disk.path(), sales);
        lab.put(0..30_000, "much");
        let more = [
            "--streams",
            streams,
            "--compression",
            "none",
            "--tries",
            "1",
        ];
        let error = lab.backup("full", &more).failure(8);
        assert!(error.contains("full"), "{error}");
        assert!(lab.points().is_empty());
        // The server was told, and takes the next one.
        assert_eq!(lab.sql.said("BACKUP").len(), 1);
        lab.backup("log", &["--on-broken-chain", "fail", "--tries", "1"])
            .failure(7);
        cases += 1;
    }
    println!("{cases} cases, 0 wrong");
}
