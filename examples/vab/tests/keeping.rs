//! What is stored is let go by a policy, and saved from a damaged file, by the program.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and the lints know only test functions"
)]

mod common;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::{JOB, Server, empty_repository, list, run, text};
use serde_json::Value;
use vab_manager::engine::RecoveryModel;
use vab_manager::engine::sim::{Instance, Options};
use vab_manager::{Clock, ServerTime, SystemClock};

/// One test at a time: a program that is being started holds, for a moment, what this process has
/// open, and with it the engine's lock.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn work(folder: &Path, key: u64) {
    let now = || ServerTime::from_micros(SystemClock.now().as_micros());
    let instance = Instance::open_or_create(folder, Options::new(now).utc_offset(0)).unwrap();
    let database = match instance.database("Sales") {
        Ok(database) => database,
        Err(_) => instance
            .create_database("Sales", RecoveryModel::Full)
            .unwrap(),
    };
    database.put(key, b"an order").unwrap();
}

/// A repository with the chains that the kinds say, and no server any more.
fn repository_with(kinds: &[&str]) -> (tempfile::TempDir, PathBuf) {
    let (folder, repository) = empty_repository();
    let engine = folder.path().join("engine");
    let server = Server::start(&repository);
    for (key, kind) in (0..).zip(kinds) {
        work(&engine, key);
        run([
            "backup",
            "--server",
            &server.address,
            "--job",
            JOB,
            "--engine",
            &format!("sim:{}", engine.display()),
            "--database",
            "Sales",
            "--type",
            kind,
        ])
        .success();
    }
    assert!(server.interrupt().success());
    (folder, repository)
}

fn retention(repository: &Path, more: &[&str]) -> common::Ran {
    let repository = repository.to_str().unwrap();
    let arguments = ["retention", "--repository", repository, "--job", JOB];
    run(arguments.into_iter().chain(more.iter().copied()))
}

#[test]
fn a_policy_is_explained_and_deletes_only_when_told() {
    let _turn = turn();
    let (_folder, repository) = repository_with(&["full", "log", "full", "log"]);
    let source = ["--repository", repository.to_str().unwrap()];
    let mut before: Vec<Value> = list(source);
    before.sort_by_key(|row| text(row, "file").to_owned());

    let said = retention(&repository, &["--fulls", "1"]).success();
    assert!(said.contains("goes: the chain is inactive"), "{said}");
    assert!(said.contains("Keep: it is the active chain"), "{said}");
    assert!(said.contains("1 files with 2 restore points"), "{said}");
    assert!(said.contains("--apply"), "{said}");
    assert_eq!(list(source).len(), 4, "nothing was done");

    // Nothing is a day old.
    let json = retention(&repository, &["--days", "1", "--json"]).success();
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["applied"], false);
    let files = json["jobs"][0]["files"].as_array().unwrap();
    assert_eq!(files.len(), 2);
    assert!(files.iter().all(|file| file["stays"] == true));
    assert!(files.iter().any(|file| file["until"].is_string()), "{json}");

    let server = Server::start(&repository);
    let refused = retention(&repository, &["--fulls", "1", "--apply"]).failure(1);
    assert!(refused.contains("in use"), "{refused}");
    retention(&repository, &["--fulls", "1"]).success();
    drop(server);

    let said = retention(&repository, &["--fulls", "1", "--apply"]).success();
    assert!(said.contains("were deleted"), "{said}");
    let after = list(source);
    assert_eq!(after.len(), 2);
    run(["verify", source[0], source[1]]).success();
    let again = retention(&repository, &["--fulls", "1", "--apply"]).success();
    assert!(again.contains("0 files"), "{again}");
}

#[test]
fn a_policy_without_a_rule_and_an_unknown_job_are_refused() {
    let _turn = turn();
    let (_folder, repository) = repository_with(&["full"]);
    retention(&repository, &[]).failure(2);
    retention(&repository, &["--daily", "0"]).failure(1);
    let path = repository.to_str().unwrap();
    let arguments = [
        "retention",
        "--repository",
        path,
        "--job",
        "other",
        "--days",
        "1",
    ];
    assert!(run(arguments).failure(1).contains("no job `other`"));
}

/// The only file with that extension.
fn file(folder: &Path, extension: &str) -> PathBuf {
    let folders = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path());
    let mut files = folders
        .filter(|path| path.is_dir())
        .flat_map(|folder| std::fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path());
    files
        .find(|path| path.extension().is_some_and(|found| found == extension))
        .unwrap()
}

#[test]
fn what_is_whole_in_a_damaged_file_is_saved() {
    let _turn = turn();
    let (folder, repository) = repository_with(&["full", "log", "log"]);
    let data = file(&repository, "VAB");
    let mut bytes = std::fs::read(&data).unwrap();
    // The second restore point: a byte in the first block behind the first commit record.
    let pages: Vec<_> = bytes.chunks(4096).collect();
    let commit = pages
        .iter()
        .position(|page| page.starts_with(b"VCMT"))
        .unwrap();
    let block = (commit..pages.len())
        .find(|page| pages[*page].starts_with(b"VBLK"))
        .unwrap();
    bytes[block * 4096 + 200] ^= 1;
    std::fs::write(&data, &bytes).unwrap();
    run(["verify", "--repository", repository.to_str().unwrap()])
        .status
        .code()
        .filter(|code| *code == 3)
        .unwrap();

    let to = folder.path().join("saved");
    let (data_text, to_text) = (data.to_str().unwrap(), to.to_str().unwrap());
    let ran = run(["salvage", data_text, "--to", to_text]);
    assert_eq!(ran.status.code(), Some(3), "{ran:?}");
    assert_eq!(ran.stdout.matches("saved ").count(), 3, "{}", ran.stdout);
    assert!(ran.stdout.contains("LOST  "), "{}", ran.stdout);
    assert!(ran.stdout.contains("block 0 of stream 0"), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("2 of 3 restore points saved"),
        "{}",
        ran.stdout
    );
    assert!(
        std::fs::read(&data).unwrap() == bytes,
        "the damaged file is not touched"
    );

    let saved = list(["--repository", to_text]);
    assert_eq!(saved.len(), 2);
    let before = list(["--repository", repository.to_str().unwrap()]);
    assert!(
        saved
            .iter()
            .all(|row| before.iter().any(|old| old["id"] == row["id"]))
    );
    // The log in between is lost.
    let verified = run(["verify", "--repository", to_text]);
    assert_eq!(verified.status.code(), Some(3), "{verified:?}");
    assert!(
        verified.stdout.contains("0 damaged, 1 whole but cut off"),
        "{verified:?}"
    );
    let target = format!("sim:{}", folder.path().join("target").display());
    let full = saved
        .iter()
        .find(|row| text(row, "kind") == "full")
        .unwrap();
    run([
        "restore",
        "--repository",
        to_text,
        "--database",
        "Sales",
        "--engine",
        &target,
        "--point",
        text(full, "id"),
    ])
    .success();

    let refused = run(["salvage", data_text, "--to", to_text]).failure(1);
    assert!(refused.contains("not empty"), "{refused}");
    let other = folder.path().join("other");
    let json = run([
        "salvage",
        data_text,
        "--to",
        other.to_str().unwrap(),
        "--json",
    ]);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["saved"], 2);
    assert_eq!(json["points"].as_array().unwrap().len(), 3);
    let nothing = folder.path().join("engine/nothing.VAB");
    run(["salvage", nothing.to_str().unwrap(), "--to", to_text]).failure(1);
}
