//! Many databases in one run: selection, budget, policy, exit codes, reports, tails of logs.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and the lints know only test functions"
)]

mod common;

use std::path::{Path, PathBuf};
use std::time::Duration;

use common::{JOB, Ran, Server, empty_repository, list, run, text};
use serde_json::Value;
use vab_manager::engine::sim::{Digest, Instance, InstanceError, Options};
use vab_manager::engine::{BackupRequest, RecoveryModel, Replica};
use vab_manager::{BackupKind, Clock, ServerTime, SystemClock, UtcTime};

/// A repository that is served, and an embedded engine beside it.
struct World {
    folder: tempfile::TempDir,
    engine: PathBuf,
    server: Server,
}

impl World {
    /// With these databases in the FULL recovery model, a few rows in each.
    fn new(databases: &[&str]) -> Self {
        let (folder, repository) = empty_repository();
        let engine = folder.path().join("engine");
        for name in databases {
            create(&engine, name, RecoveryModel::Full);
        }
        Self {
            engine,
            server: Server::start(&repository),
            folder,
        }
    }

    fn engine(&self) -> String {
        format!("sim:{}", self.engine.display())
    }

    fn backup(&self, more: &[&str]) -> Ran {
        let engine = self.engine();
        let server = self.server.address.as_str();
        let first = [
            "backup", "--server", server, "--job", JOB, "--engine", &engine,
        ];
        run(first.into_iter().chain(more.iter().copied()))
    }

    fn restore(&self, engine: &str, more: &[&str]) -> Ran {
        let server = self.server.address.as_str();
        let first = ["restore", "--server", server, "--engine", engine];
        run(first.into_iter().chain(more.iter().copied()))
    }

    fn points(&self) -> Vec<Value> {
        list(["--server", &self.server.address])
    }

    /// Restores the latest state into a new engine and compares it with the engine's own.
    #[track_caller]
    fn comes_back(&self, database: &str) {
        let target = tempfile::tempdir_in(self.folder.path()).unwrap();
        let target = target.path().join("engine");
        let engine = format!("sim:{}", target.display());
        self.restore(&engine, &["--database", database]).success();
        assert_eq!(digest(&target, database), digest(&self.engine, database));
    }
}

fn open(folder: &Path) -> Instance {
    let now = || ServerTime::from_micros(SystemClock.now().as_micros());
    // A program that another test starts at this moment holds the lock until it is itself.
    for _ in 0..200 {
        match Instance::open_or_create(folder, Options::new(now).utc_offset(0)) {
            Err(InstanceError::InUse { .. }) => std::thread::sleep(Duration::from_millis(10)),
            opened => return opened.unwrap(),
        }
    }
    panic!("{} is in use", folder.display());
}

fn create(folder: &Path, name: &str, model: RecoveryModel) {
    open(folder).create_database(name, model).unwrap();
    work(folder, name, 0);
}

fn work(folder: &Path, name: &str, from: u64) {
    let instance = open(folder);
    let mut transaction = instance.database(name).unwrap().begin().unwrap();
    for key in from..from + 200 {
        transaction.put(key, name.repeat(40).as_bytes()).unwrap();
    }
    transaction.commit().unwrap();
}

fn digest(folder: &Path, name: &str) -> Digest {
    open(folder).database(name).unwrap().digest().unwrap()
}

/// Somebody else's backup, of which nothing is kept here.
fn foreign(folder: &Path, name: &str, kind: BackupKind) {
    let request = BackupRequest::new(name, kind, Vec::new());
    open(folder).backup_elsewhere(&request).unwrap();
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn databases(report: &Value, result: &str) -> Vec<String> {
    let all = report["databases"].as_array().unwrap().iter();
    all.filter(|database| database["result"] == result)
        .map(|database| text(database, "database").to_owned())
        .collect()
}

/// The most streams that were open at any moment, from the times in a report.
fn most_at_once(report: &Value) -> u64 {
    let time = |value: &Value| value.as_str().unwrap().parse::<UtcTime>().unwrap();
    let tries = report["databases"].as_array().unwrap().iter();
    let tries = tries.flat_map(|database| database["tries"].as_array().unwrap());
    let spans: Vec<(UtcTime, UtcTime, u64)> = tries
        .map(|tried| {
            let streams = tried["streams"].as_u64().unwrap();
            (time(&tried["started"]), time(&tried["finished"]), streams)
        })
        .collect();
    let open_at = |moment: UtcTime| {
        let open = spans
            .iter()
            .filter(|(from, to, _)| *from <= moment && moment < *to);
        open.map(|(_, _, streams)| streams).sum()
    };
    spans
        .iter()
        .map(|(from, _, _)| open_at(*from))
        .max()
        .unwrap_or(0)
}

#[test]
fn all_databases_are_backed_up_within_the_budget_and_come_back() {
    let names = [
        "Customers",
        "Orders",
        "Sales2025",
        "Sales2026",
        "Stock",
        "model",
    ];
    let world = World::new(&names);
    for name in ["master", "msdb", "tempdb"] {
        create(&world.engine, name, RecoveryModel::Simple);
    }
    let file = world.folder.path().join("report.json");
    let said = world
        .backup(&[
            "--all",
            "--type",
            "full",
            "--streams",
            "5",
            "--budget",
            "8",
            "--report",
            file.to_str().unwrap(),
        ])
        .success();
    assert!(
        said.contains("9 databases: 8 backed up, 1 skipped"),
        "{said}"
    );

    let report = json(&std::fs::read_to_string(&file).unwrap());
    assert_eq!(report["outcome"], "success");
    assert_eq!(databases(&report, "skipped"), ["tempdb"]);
    assert_eq!(databases(&report, "done").len(), 8);
    assert_eq!(report["budget"]["streams"], 8);
    let most = most_at_once(&report);
    assert!((5..=8).contains(&most), "{most} streams at once");
    let streams = |name: &str| {
        let all = report["databases"].as_array().unwrap();
        let of = all
            .iter()
            .find(|database| database["database"] == name)
            .unwrap();
        of["streams"].as_u64().unwrap()
    };
    assert_eq!((streams("Customers"), streams("master")), (5, 3), "greedy");
    for database in report["databases"].as_array().unwrap() {
        let done = database["result"] == "done";
        assert_eq!(database["seconds"].is_number(), done, "{database}");
        for point in database["points"].as_array().unwrap() {
            assert!(point["bytes"].as_u64().unwrap() > 0);
            assert_eq!(point["set"]["database"], database["database"]);
        }
    }
    for name in names {
        world.comes_back(name);
    }
    println!("8 databases backed up, at most {most} of 8 streams at once, 6 restored and equal");
}

#[test]
fn patterns_choose_and_exclude_in_any_case() {
    let world = World::new(&["Orders", "Sales2025", "Sales2026", "SalesOld"]);
    let said = world
        .backup(&[
            "--database",
            "sales*",
            "--database",
            "ORDERS",
            "--exclude",
            "*old",
            "--type",
            "full",
            "--json",
        ])
        .success();
    let done = databases(&json(&said), "done");
    assert_eq!(done, ["Orders", "Sales2025", "Sales2026"]);
    assert_eq!(world.points().len(), 3);
}

#[test]
fn one_database_that_fails_does_not_stop_the_others() {
    let world = World::new(&["Customers", "Orders", "Stock"]);
    open(&world.engine)
        .database("Orders")
        .unwrap()
        .damage_page(1)
        .unwrap();
    let ran = world.backup(&["--all", "--type", "full", "--json"]);
    let report = json(&ran.stdout);
    let said = ran.failure(4);
    assert!(said.contains("error: Orders"), "{said}");
    assert_eq!(report["outcome"], "partial");
    assert_eq!(databases(&report, "failed"), ["Orders"]);
    assert_eq!(databases(&report, "done"), ["Customers", "Stock"]);
    world.comes_back("Stock");
}

#[test]
fn a_log_that_somebody_else_took_is_noticed_and_dealt_with_by_policy() {
    let world = World::new(&["Sales"]);
    let log = |more: &[&str]| {
        let log = ["--database", "Sales", "--type", "log"];
        world.backup(&[&log, more].concat())
    };
    // The first log of all is a full.
    log(&[]).success();
    work(&world.engine, "Sales", 1000);
    log(&[]).success();
    foreign(&world.engine, "Sales", BackupKind::Log);
    work(&world.engine, "Sales", 2000);

    let said = log(&["--on-broken-chain", "fail"]).failure(7);
    assert!(said.contains("backed up elsewhere"), "{said}");
    let said = log(&["--on-broken-chain", "skip"]).failure(5);
    assert!(said.contains("backed up elsewhere"), "{said}");
    let planned = log(&["--dry-run"]).success();
    assert!(planned.contains("full instead of log"), "{planned}");
    assert_eq!(
        world.points().len(),
        2,
        "none of these left a restore point"
    );

    let said = log(&["--on-broken-chain", "smallest"]).success();
    assert!(said.contains("diff of Sales is restore point"), "{said}");
    world.comes_back("Sales");
    work(&world.engine, "Sales", 3000);
    foreign(&world.engine, "Sales", BackupKind::Full);
    let ran = world.backup(&["--database", "Sales", "--type", "diff"]);
    assert!(ran.stderr.contains("full instead of diff"), "{ran:?}");
    ran.success();
    world.comes_back("Sales");
    let kinds: Vec<_> = world
        .points()
        .iter()
        .map(|row| text(row, "kind").to_owned())
        .collect();
    assert_eq!(kinds, ["full", "log", "diff", "full"]);
}

#[test]
fn a_change_of_the_recovery_model_is_noticed() {
    let world = World::new(&["Sales"]);
    let log = ["--database", "Sales", "--type", "log"];
    world.backup(&["--all", "--type", "full"]).success();
    let model = |model| {
        let instance = open(&world.engine);
        instance
            .database("Sales")
            .unwrap()
            .set_recovery_model(model)
            .unwrap();
    };
    model(RecoveryModel::Simple);
    let said = world.backup(&log).failure(5);
    assert!(said.contains("simple recovery model"), "{said}");
    model(RecoveryModel::Full);
    work(&world.engine, "Sales", 1000);
    let ran = world.backup(&log);
    assert!(ran.stderr.contains("no current log chain"), "{ran:?}");
    ran.success();
    world.backup(&log).success();
    world.comes_back("Sales");
}

#[test]
fn every_outcome_has_its_exit_code() {
    let world = World::new(&["Sales"]);
    create(&world.engine, "Small", RecoveryModel::Simple);
    world
        .backup(&["--database", "Sales", "--type", "full"])
        .success();
    let said = world.backup(&["--type", "full"]).failure(2);
    assert!(said.contains("--all"), "{said}");
    world
        .backup(&["--all", "--database", "Sales", "--type", "full"])
        .failure(2);
    world
        .backup(&["--database", "Small", "--type", "log"])
        .failure(5);
    let said = world
        .backup(&["--database", "No*", "--type", "full"])
        .failure(5);
    assert!(said.contains("`No*`"), "{said}");
    let said = world
        .backup(&["--database", "Nobody", "--type", "full"])
        .failure(9);
    assert!(said.contains("`Nobody`"), "{said}");
    let broken = [
        "--database",
        "Small",
        "--type",
        "diff",
        "--on-broken-chain",
        "fail",
    ];
    world.backup(&broken).failure(7);
    let nowhere = world.folder.path().join("no/such/folder/report.json");
    let nowhere = nowhere.to_str().unwrap();
    let before = world.points();
    world
        .backup(&["--all", "--type", "full", "--report", nowhere])
        .failure(1);
    assert_eq!(
        world.points(),
        before,
        "the report is tried before the work"
    );

    let replica = |secondary| {
        let preferred = false;
        let replica = Some(Replica {
            secondary,
            preferred,
        });
        open(&world.engine)
            .database("Sales")
            .unwrap()
            .set_replica(replica)
            .unwrap();
    };
    replica(false);
    let asked = ["--database", "Sales", "--type", "full", "--check-preferred"];
    let said = world.backup(&asked).failure(6);
    assert!(said.contains("another replica"), "{said}");
    world
        .backup(&["--database", "Sales", "--type", "full"])
        .success();
    replica(true);
    world
        .backup(&["--database", "Sales", "--type", "full"])
        .failure(5);
    world
        .backup(&["--database", "Sales", "--type", "full", "--copy-only"])
        .success();

    // `vab help` has the list.
    let help = run(["help"]).success();
    for words in [
        "partial",
        "nothing to do",
        "chain is broken",
        "repository is full",
    ] {
        assert!(help.contains(words), "{help}");
    }
}

#[test]
fn databases_are_listed_with_what_would_come_next() {
    let world = World::new(&["Sales"]);
    create(&world.engine, "tempdb", RecoveryModel::Simple);
    let engine = world.engine();
    let said = run(["databases", "--engine", &engine]).success();
    assert!(said.contains("Sales: online, FULL"), "{said}");
    assert!(said.contains("legal backups: none"), "{said}");
    assert!(
        !said.contains("now:"),
        "nobody was asked about backups: {said}"
    );

    world.backup(&["--all", "--type", "full"]).success();
    foreign(&world.engine, "Sales", BackupKind::Log);
    let repository = world.server.repository.to_str().unwrap();
    let with = ["--repository", repository, "--job", JOB];
    let said = run(["databases", "--engine", &engine].into_iter().chain(with)).success();
    assert!(said.contains("last full"), "{said}");
    assert!(said.contains("log now: full instead of log"), "{said}");
    let listed = json(
        &run(["databases", "--engine", &engine, "--json"]
            .into_iter()
            .chain(with))
        .success(),
    );
    let sales = &listed[0];
    assert_eq!(sales["recovery_model"], "full");
    assert_eq!(sales["last"][0]["kind"], "full");
    assert_eq!(sales["next"][2]["wanted"]["kind"], "log");
    assert_eq!(sales["next"][2]["take"]["kind"], "full");
    assert_eq!(sales["legal"].as_array().unwrap().len(), 5);
}

#[test]
fn the_tail_of_the_log_is_saved_before_a_database_is_restored_over() {
    let world = World::new(&["Sales"]);
    let engine = world.engine();
    world.backup(&["--all", "--type", "full"]).success();
    work(&world.engine, "Sales", 1000);
    let newest = digest(&world.engine, "Sales");
    let before = world.points();
    let said = world.restore(&engine, &["--database", "Sales"]).failure(9);
    assert!(said.contains("--tail") && said.contains("--as"), "{said}");
    assert_eq!(
        digest(&world.engine, "Sales"),
        newest,
        "nothing happened to it"
    );

    let said = world
        .restore(&engine, &["--database", "Sales", "--tail"])
        .success();
    assert!(
        said.contains("the tail of the log of Sales is restore point"),
        "{said}"
    );
    assert!(said.contains("next: take a full backup"), "{said}");
    assert_eq!(digest(&world.engine, "Sales"), newest, "nothing was lost");
    assert_eq!(world.points().len(), before.len() + 1);

    // The restore put it on a new fork: a log would not connect.
    let ran = world.backup(&["--all", "--type", "log"]);
    assert!(ran.stderr.contains("full instead of log"), "{ran:?}");
    ran.success();
    world.comes_back("Sales");
}

#[test]
fn a_tail_that_would_not_connect_is_not_taken() {
    let world = World::new(&["Sales"]);
    let engine = world.engine();
    world.backup(&["--all", "--type", "full"]).success();
    foreign(&world.engine, "Sales", BackupKind::Log);
    work(&world.engine, "Sales", 1000);
    let newest = digest(&world.engine, "Sales");
    let said = world
        .restore(&engine, &["--database", "Sales", "--tail"])
        .failure(7);
    assert!(said.contains("would not help"), "{said}");
    assert_eq!(
        digest(&world.engine, "Sales"),
        newest,
        "it is online as before"
    );
    assert_eq!(world.points().len(), 1);
    world
        .restore(&engine, &["--database", "Sales", "--tail", "--replace"])
        .failure(2);
    world
        .restore(&engine, &["--database", "Sales", "--replace"])
        .success();
}

#[test]
fn a_database_can_be_left_restoring_or_readable() {
    let world = World::new(&["Sales"]);
    world.backup(&["--all", "--type", "full"]).success();
    let target = world.folder.path().join("target");
    let engine = format!("sim:{}", target.display());
    let database = ["--database", "Sales"];
    let said = world
        .restore(&engine, &[&database[..], &["--no-recovery"]].concat())
        .success();
    assert!(
        said.contains("it is restoring") && said.contains("vab recover"),
        "{said}"
    );
    // It waits for a restore: nothing is lost by another one.
    let said = world
        .restore(&engine, &[&database[..], &["--standby"]].concat())
        .success();
    assert!(said.contains("it is standby"), "{said}");
    world.restore(&engine, &database).failure(9);
    let recovered = run(["recover", "--engine", &engine, "--database", "Sales"]).success();
    assert_eq!(recovered, "Sales is online\n");
    assert_eq!(digest(&target, "Sales"), digest(&world.engine, "Sales"));
    run(["recover", "--engine", &engine, "--database", "Sales"]).failure(9);
}

#[cfg(unix)]
mod with_processes {
    use std::io::{BufRead, BufReader, Read};
    use std::process::Stdio;

    use common::{signal, vab};

    use super::*;

    #[test]
    fn a_run_that_is_interrupted_leaves_what_was_committed_and_nothing_else() {
        let names: Vec<String> = (0..20).map(|number| format!("Db{number:02}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let world = World::new(&names);
        let engine = world.engine();
        let report = world.folder.path().join("report.json");
        let mut child = vab(["backup", "--server", &world.server.address, "--job", JOB])
            .args([
                "--engine", &engine, "--all", "--type", "full", "--budget", "1",
            ])
            .arg("--report")
            .arg(&report)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        lines.find(|line| line.as_ref().unwrap().contains("is restore point"));
        // The server stands still, so that the rest cannot be done before the interrupt.
        signal("STOP", world.server.id());
        signal("INT", child.id());
        signal("CONT", world.server.id());
        let status = child.wait().unwrap();
        let mut said = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        assert_eq!(status.code(), Some(130), "{said}");

        let report = json(&std::fs::read_to_string(&report).unwrap());
        assert_eq!(report["outcome"], "cancelled");
        let done = databases(&report, "done");
        let cancelled = databases(&report, "cancelled");
        assert!(!done.is_empty() && !cancelled.is_empty());
        assert_eq!(done.len() + cancelled.len(), 20);
        let points = world.points();
        let stored: Vec<_> = points.iter().map(|row| text(row, "database")).collect();
        assert_eq!(stored, done, "what was reported is what is there");
        world.backup(&["--all", "--type", "log"]).success();
        world.comes_back("Db19");
        println!(
            "{} databases were done, {} cancelled",
            done.len(),
            cancelled.len()
        );
    }

    #[test]
    fn a_server_that_starts_late_is_waited_for() {
        let (folder, repository) = empty_repository();
        let engine = folder.path().join("engine");
        create(&engine, "Sales", RecoveryModel::Full);
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let backup = |tries: &'static str| {
            let mut backup = vab(["backup", "--server", &address, "--job", JOB, "--engine"]);
            backup.arg(format!("sim:{}", engine.display()));
            backup.args([
                "--all",
                "--type",
                "full",
                "--retry-wait",
                "1",
                "--tries",
                tries,
            ]);
            backup
        };
        assert_eq!(
            backup("1").status().unwrap().code(),
            Some(1),
            "nobody is there"
        );
        let mut child = backup("50").stderr(Stdio::piped()).spawn().unwrap();
        let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
        let first = told.next().unwrap().unwrap();
        assert!(first.contains("trying again"), "{first}");
        let server = Server::start_at(&repository, &address);
        assert!(child.wait().unwrap().success());
        assert_eq!(list(["--server", &server.address]).len(), 1);
    }
}
