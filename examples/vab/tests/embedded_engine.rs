//! The embedded engine in a folder, backed up and restored by separate runs of the program.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and the lints know only test functions"
)]

mod common;

use std::path::Path;
use std::time::Duration;

use common::{JOB, Server, empty_repository, list, run, text};
use vab_manager::engine::RecoveryModel;
use vab_manager::engine::sim::{Instance, Options};
use vab_manager::{Clock, ServerTime, SystemClock};

fn now() -> ServerTime {
    ServerTime::from_micros(SystemClock.now().as_micros())
}

fn open(folder: &Path) -> Instance {
    Instance::open_or_create(folder, Options::new(now).utc_offset(0)).unwrap()
}

/// Writes rows in one transaction, in a run of the engine of its own.
fn work(folder: &Path, keys: std::ops::Range<u64>, value: &str) {
    let instance = open(folder);
    let database = match instance.database("Sales") {
        Ok(database) => database,
        Err(_) => instance
            .create_database("Sales", RecoveryModel::Full)
            .unwrap(),
    };
    let mut transaction = database.begin().unwrap();
    for key in keys {
        transaction.put(key, value.repeat(100).as_bytes()).unwrap();
    }
    transaction.commit().unwrap();
}

/// Lets the clock go on, and returns a moment between what was and what comes.
fn pause() -> ServerTime {
    std::thread::sleep(Duration::from_millis(20));
    let moment = now();
    std::thread::sleep(Duration::from_millis(20));
    moment
}

struct Program {
    engine: String,
    server: Server,
}

impl Program {
    fn backup(&self, kind: &str, more: &[&str]) -> common::Ran {
        let arguments = [
            "backup",
            "--server",
            &self.server.address,
            "--job",
            JOB,
            "--engine",
            &self.engine,
            "--database",
            "Sales",
            "--type",
            kind,
        ];
        run(arguments.into_iter().chain(more.iter().copied()))
    }

    fn restore(&self, engine: &str, more: &[&str]) -> common::Ran {
        let arguments = [
            "restore",
            "--server",
            &self.server.address,
            "--database",
            "Sales",
            "--engine",
            engine,
        ];
        run(arguments.into_iter().chain(more.iter().copied()))
    }
}

#[test]
fn a_chain_is_backed_up_and_every_moment_of_it_comes_back() {
    let (folder, repository) = empty_repository();
    let engine_folder = folder.path().join("engine");
    work(&engine_folder, 0..2000, "first");
    let program = Program {
        engine: format!("sim:{}", engine_folder.display()),
        server: Server::start(&repository),
    };

    let mut moments = Vec::new();
    let mut remember = || {
        let rows = open(&engine_folder)
            .database("Sales")
            .unwrap()
            .rows()
            .unwrap();
        moments.push((pause(), rows));
    };
    program.backup("full", &["--streams", "4"]).success();
    remember();
    work(&engine_folder, 100..200, "second");
    remember();
    program.backup("log", &[]).success();
    work(&engine_folder, 150..300, "third");
    program.backup("diff", &["--streams", "2"]).success();
    remember();
    program.backup("full", &["--copy-only"]).success();
    work(&engine_folder, 2000..2100, "fourth");
    remember();
    work(&engine_folder, 0..50, "fifth");
    program.backup("log", &["--streams", "3"]).success();

    let rows = list(["--server", &program.server.address]);
    let kinds: Vec<_> = rows
        .iter()
        .map(|row| (text(row, "kind"), row["copy_only"] == true))
        .collect();
    assert_eq!(
        kinds.iter().filter(|kind| kind.0 == "log").count(),
        2,
        "{kinds:?}"
    );
    assert!(kinds.contains(&("full", true)), "{kinds:?}");
    assert!(rows.iter().all(|row| text(row, "state") == "restorable"));

    for (number, (moment, expected)) in moments.iter().enumerate() {
        let target = folder.path().join(format!("restored {number}"));
        let engine = format!("sim:{}", target.display());
        program
            .restore(&engine, &["--at", &moment.to_string(), "--as", "Copy"])
            .success();
        let restored = open(&target).database("Copy").unwrap().rows().unwrap();
        assert!(restored == *expected, "the rows at {moment}");
    }
    let target = folder.path().join("latest");
    program
        .restore(&format!("sim:{}", target.display()), &[])
        .success();
    let latest = open(&engine_folder)
        .database("Sales")
        .unwrap()
        .digest()
        .unwrap();
    assert_eq!(
        open(&target).database("Sales").unwrap().digest().unwrap(),
        latest
    );
    println!(
        "{} moments and the latest state restored, all equal",
        moments.len()
    );
}

#[test]
fn what_the_engine_refuses_is_said_and_leaves_no_restore_point() {
    let (folder, repository) = empty_repository();
    let engine_folder = folder.path().join("engine");
    work(&engine_folder, 0..10, "row");
    let program = Program {
        engine: format!("sim:{}", engine_folder.display()),
        server: Server::start(&repository),
    };
    let strict = ["--on-broken-chain", "fail"];
    let said = program.backup("diff", &strict).failure(7);
    assert!(said.contains("full"), "a differential needs a full: {said}");
    let said = program.backup("log", &strict).failure(7);
    assert!(
        said.contains("take a full"),
        "a log backup needs a full: {said}"
    );
    assert!(list(["--server", &program.server.address]).is_empty());

    program.backup("full", &[]).success();
    let said = program.restore(&program.engine, &[]).failure(9);
    assert!(
        said.contains("Sales") && said.contains("--replace"),
        "an existing database is not overwritten: {said}"
    );
    program.restore(&program.engine, &["--replace"]).success();
}

#[test]
fn a_moment_that_cannot_be_reached_is_refused_with_the_nearest_ones() {
    let (folder, repository) = empty_repository();
    let engine_folder = folder.path().join("engine");
    work(&engine_folder, 0..10, "row");
    let program = Program {
        engine: format!("sim:{}", engine_folder.display()),
        server: Server::start(&repository),
    };
    program.backup("full", &[]).success();
    let target = format!("sim:{}", folder.path().join("target").display());
    let said = program
        .restore(&target, &["--at", "2001-01-01T00:00:00"])
        .failure(3);
    assert!(said.contains("20"), "{said}");
}

/// Unmounts a folder when it is dropped.
#[cfg(target_os = "linux")]
struct Unmount<'f>(&'f Path);

#[cfg(target_os = "linux")]
impl Drop for Unmount<'_> {
    fn drop(&mut self) {
        let _busy = std::process::Command::new("umount")
            .arg("-l")
            .arg(self.0)
            .status();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_the_backup_and_costs_nothing_that_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let mount = [
        "-t",
        "tmpfs",
        "-o",
        "size=8m",
        "tmpfs",
        disk.to_str().unwrap(),
    ];
    let mounted = std::process::Command::new("mount")
        .args(mount)
        .stderr(std::process::Stdio::null())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        println!("skipped: a small disk can only be mounted by the superuser");
        return;
    }
    let _unmount = Unmount(&disk);

    let engine_folder = folder.path().join("engine");
    work(&engine_folder, 0..1000, "small");
    let program = Program {
        engine: format!("sim:{}", engine_folder.display()),
        server: Server::start(&disk),
    };
    program.backup("full", &[]).success();
    let before = list(["--server", &program.server.address]);

    work(&engine_folder, 0..30_000, "large");
    // The rows are alike; compressed they would fit.
    let much = ["--streams", "4", "--compression", "none"];
    let said = program.backup("full", &much).failure(8);
    assert!(said.contains("full") && said.contains("space"), "{said}");
    assert_eq!(list(["--server", &program.server.address]), before);
    let target = folder.path().join("target");
    program
        .restore(&format!("sim:{}", target.display()), &[])
        .success();
    assert_eq!(
        open(&target)
            .database("Sales")
            .unwrap()
            .rows()
            .unwrap()
            .len(),
        1000
    );
    // The log of the large work does not fit either; a new small database does.
    run(["verify", "--repository", disk.to_str().unwrap()]).success();
}
