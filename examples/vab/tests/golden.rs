//! A repository of format version 1 with backups of the embedded engine, made once and kept: every
//! later version lists, verifies, exports and restores it.
//!
//! `tests/golden/v1` is never changed once its format version was released.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, and the lints know only test functions"
)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Server, empty_repository, list, run, text};
use serde_json::{Value, json};
use vab_manager::engine::RecoveryModel;
use vab_manager::engine::sim::{Instance, Options};
use vab_manager::{Clock, ServerTime, SystemClock};

const KEY: &str = "4242424242424242424242424242424242424242424242424242424242424242";

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1")
}

fn now() -> ServerTime {
    ServerTime::from_micros(SystemClock.now().as_micros())
}

fn open(folder: &Path) -> Instance {
    Instance::open_or_create(folder, Options::new(now).utc_offset(0)).unwrap()
}

/// The rows of a database, as a digest that tells states apart.
fn state(folder: &Path, database: &str) -> String {
    let digest = open(folder).database(database).unwrap().digest().unwrap();
    format!("{digest} of {} rows", digest.rows())
}

/// The restore points that are due, by their ids: what is restored, and how it was taken.
fn due() -> BTreeMap<String, Value> {
    let text = fs::read_to_string(golden().join("states.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The files of a repository, but for those that say who has it open.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if !path
            .extension()
            .is_some_and(|end| end == "lock" || end == "owner")
        {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let to = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(file, to).unwrap();
    }
}

/// The golden repository, where it may be written.
fn copied() -> (tempfile::TempDir, PathBuf, String) {
    let (folder, repository) = empty_repository();
    copy(&golden().join("repository"), &repository);
    let key = folder.path().join("key");
    fs::write(&key, KEY).unwrap();
    (folder, repository, key.display().to_string())
}

#[test]
fn a_repository_of_version_1_is_listed_and_whole() {
    let (_folder, repository, _) = copied();
    let repository = repository.to_str().unwrap();
    let due = due();
    let rows = list(["--repository", repository]);
    assert_eq!(rows.len(), due.len());
    for row in &rows {
        let due = &due[text(row, "id")];
        for field in [
            "job",
            "kind",
            "codec",
            "encrypted",
            "bytes",
            "stored_bytes",
            "files",
        ] {
            assert_eq!(row.get(field), due.get(field), "{field} of {row}");
        }
    }
    run(["verify", "--repository", repository]).success();
}

#[test]
fn every_restore_point_of_version_1_is_restored() {
    let (folder, repository, key) = copied();
    let server = Server::start(&repository);
    for (number, (id, due)) in due().into_iter().enumerate() {
        let target = folder.path().join(format!("restored {number}"));
        let engine = format!("sim:{}", target.display());
        let job = text(&due, "job");
        let restore = [
            "restore",
            "--server",
            &server.address,
            "--database",
            "Sales",
        ];
        let which = ["--job", job, "--point", &id, "--engine", &engine];
        let opening = ["--encryption-key-file", &key];
        run(restore.into_iter().chain(which).chain(opening)).success();
        assert_eq!(state(&target, "Sales"), text(&due, "state"), "{due}");
        println!(
            "golden: {} of {job}: {}",
            text(&due, "kind"),
            text(&due, "state")
        );
    }
}

#[test]
fn the_second_reader_extracts_the_same_streams() {
    let (folder, repository, key) = copied();
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/vab-format/tests/reader.py");
    let mut extracted = Vec::new();
    let data = files(&repository).into_iter();
    for (number, file) in data
        .filter(|file| file.extension().is_some_and(|end| end == "VAB"))
        .enumerate()
    {
        let to = folder.path().join(format!("extracted {number}"));
        fs::create_dir(&to).unwrap();
        let reader = Command::new("python3")
            .arg("-B")
            .arg(&script)
            .arg(file)
            .arg(&to)
            .arg(KEY)
            .output();
        let Ok(reader) = reader else {
            println!("skipped: the second reader needs python3");
            return;
        };
        assert!(reader.status.success(), "{reader:?}");
        extracted.extend(contents(&to));
    }
    let mut exported = Vec::new();
    for (number, id) in due().keys().enumerate() {
        let to = folder.path().join(format!("exported {number}"));
        let (repository, to) = (repository.to_str().unwrap(), to.to_str().unwrap());
        let export = [
            "export",
            "--repository",
            repository,
            "--point",
            id,
            "--to",
            to,
        ];
        run(export.into_iter().chain(["--encryption-key-file", &key])).success();
        exported.extend(contents(Path::new(to)));
    }
    extracted.sort();
    exported.sort();
    assert!(
        !extracted.is_empty() && extracted == exported,
        "the readers differ"
    );
    let bytes: usize = extracted.iter().map(Vec::len).sum();
    println!(
        "golden: {} streams of {bytes} bytes, the same by both readers",
        extracted.len()
    );
}

fn contents(folder: &Path) -> Vec<Vec<u8>> {
    files(folder)
        .iter()
        .map(|file| fs::read(file).unwrap())
        .collect()
}

#[test]
fn the_golden_files_are_small() {
    let bytes: u64 = files(&golden())
        .iter()
        .map(|file| file.metadata().unwrap().len())
        .sum();
    assert!(bytes < 300 << 10, "{bytes} bytes");
}

#[test]
#[ignore = "writes the files anew: only for a new version of the format"]
fn write_the_golden_repository() {
    let (folder, repository) = empty_repository();
    let engine = folder.path().join("engine");
    let key = folder.path().join("key");
    fs::write(&key, KEY).unwrap();
    let server = Server::start(&repository);
    let mut states = BTreeMap::new();
    let work = |step: u64| {
        let instance = open(&engine);
        let database = instance
            .database("Sales")
            .or_else(|_| instance.create_database("Sales", RecoveryModel::Full));
        let mut transaction = database.unwrap().begin().unwrap();
        for key in step * 5..step * 5 + 30 {
            let row = format!("row {key} of step {step}");
            transaction.put(key, row.as_bytes()).unwrap();
        }
        transaction.commit().unwrap();
    };
    let key = key.display().to_string();
    let sealed = ["--encryption-key-file", &key, "--compression", "lz4"];
    for (step, (job, kind, how)) in (0..).zip([
        (
            "Mixed",
            "full",
            &["--streams", "2", "--compression", "none"][..],
        ),
        ("Mixed", "diff", &["--compression", "lz4"]),
        ("Mixed", "log", &["--compression", "lz4"]),
        (
            "Compressed",
            "full",
            &["--streams", "2", "--compression", "lz4"],
        ),
        ("Compressed", "log", &["--compression", "lz4"]),
        ("Encrypted", "full", &sealed),
    ]) {
        work(step);
        let source = format!("sim:{}", engine.display());
        let backup = [
            "backup",
            "--server",
            &server.address,
            "--job",
            job,
            "--engine",
            &source,
        ];
        let what = ["--database", "Sales", "--type", kind];
        run(backup.into_iter().chain(what).chain(how.iter().copied())).success();
        let rows = list(["--repository", repository.to_str().unwrap()]);
        let new = rows
            .iter()
            .find(|row| !states.contains_key(text(row, "id")))
            .unwrap();
        let mut point = json!({ "state": state(&engine, "Sales") });
        for field in [
            "job",
            "kind",
            "codec",
            "encrypted",
            "bytes",
            "stored_bytes",
            "files",
        ] {
            if let Some(value) = new.get(field) {
                point[field] = value.clone();
            }
        }
        states.insert(text(new, "id").to_owned(), point);
    }
    drop(server);
    let _ = fs::remove_dir_all(golden());
    copy(&repository, &golden().join("repository"));
    let states = serde_json::to_string_pretty(&states).unwrap();
    fs::write(golden().join("states.json"), states + "\n").unwrap();
}
