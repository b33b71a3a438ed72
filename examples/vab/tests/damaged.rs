//! A repository that was damaged: what `vab verify` says of it, and what can be restored around
//! the damage.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and the lints know only test functions"
)]

mod common;

use std::fs;
use std::path::PathBuf;

use common::{Ran, Server, empty_repository, list, run, text};
use serde_json::Value;
use vab_manager::engine::RecoveryModel;
use vab_manager::engine::sim::{Instance, Options};
use vab_manager::{Clock, ServerTime, SystemClock};

/// Where the payload begins in a record of a block.
const PAYLOAD: u64 = 128;

/// A full, a log, a differential and a log of one database: sessions 1 to 4 of one file.
struct Archive {
    folder: tempfile::TempDir,
    repository: PathBuf,
}

impl Archive {
    fn new() -> Self {
        let (folder, repository) = empty_repository();
        let engine = folder.path().join("engine");
        let now = || ServerTime::from_micros(SystemClock.now().as_micros());
        let instance = Instance::open_or_create(&engine, Options::new(now)).unwrap();
        instance
            .create_database("Sales", RecoveryModel::Full)
            .unwrap();
        drop(instance);
        let server = Server::start(&repository);
        for (row, kind) in (1_u64..).zip(["full", "log", "diff", "log"]) {
            let instance = Instance::open_or_create(&engine, Options::new(now)).unwrap();
            let database = instance.database("Sales").unwrap();
            database.put(row, &[7; 5000]).unwrap();
            drop((database, instance));
            let engine = format!("sim:{}", engine.display());
            let backup = ["backup", "--server", &server.address, "--job", "Nightly"];
            let what = ["--engine", &engine, "--database", "Sales", "--type", kind];
            run(backup.into_iter().chain(what)).success();
        }
        drop(server);
        Self { folder, repository }
    }

    fn id(&self, kind: &str) -> String {
        let rows = list(["--repository", self.repository.to_str().unwrap()]);
        let row = rows.iter().find(|row| text(row, "kind") == kind);
        text(row.unwrap(), "id").to_owned()
    }

    fn data(&self) -> PathBuf {
        let rows = list(["--repository", self.repository.to_str().unwrap()]);
        self.repository.join(text(&rows[0], "file"))
    }

    /// Changes the first byte that is stored of the session with this number.
    fn damage(&self, session: u32) {
        let data = self.data();
        let inspected = run(["inspect", "--json", data.to_str().unwrap()]).success();
        let inspected: Value = serde_json::from_str(&inspected).unwrap();
        let of_session = format!("session {session}, ");
        let records = inspected["records"].as_array().unwrap();
        let block = records
            .iter()
            .find(|record| text(record, "text").starts_with(&of_session));
        let at = block.unwrap()["offset"].as_u64().unwrap() + PAYLOAD;
        let mut bytes = fs::read(&data).unwrap();
        bytes[usize::try_from(at).unwrap()] ^= 1;
        fs::write(&data, bytes).unwrap();
    }

    fn verify(&self) -> Ran {
        run(["verify", "--repository", self.repository.to_str().unwrap()])
    }

    fn restore(&self, name: &str, more: &[&str]) -> Ran {
        let engine = format!("sim:{}", self.folder.path().join(name).display());
        let repository = self.repository.to_str().unwrap();
        let restore = ["restore", "--repository", repository, "--database", "Sales"];
        run(restore
            .into_iter()
            .chain(["--engine", &engine])
            .chain(more.iter().copied()))
    }
}

#[test]
fn a_sound_archive_is_whole() {
    let said = Archive::new().verify().success();
    assert!(said.contains("4 restore points read"), "{said}");
    assert!(!said.contains("next:"), "{said}");
}

/// It said that they could be restored.
#[test]
fn what_builds_on_a_damaged_full_is_cut_off() {
    let archive = Archive::new();
    archive.damage(1);
    let ran = archive.verify();
    assert_eq!(ran.status.code(), Some(3));
    let said = ran.stdout;
    assert_eq!(said.matches("DAMAGED").count(), 1, "{said}");
    assert_eq!(said.matches("CUT OFF").count(), 3, "{said}");
    assert!(said.contains("next: take a full backup of Sales"), "{said}");
    let repository = archive.repository.to_str().unwrap();
    let json = run(["verify", "--repository", repository, "--json"]).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["worst"], "damaged");
    let points = json["points"].as_array().unwrap();
    let states: Vec<_> = points.iter().map(|point| text(point, "state")).collect();
    assert_eq!(
        states,
        ["damaged", "not reachable", "base damaged", "not reachable"]
    );
}

/// The exit code was 0.
#[test]
fn a_data_file_that_is_gone_is_no_success() {
    let archive = Archive::new();
    fs::remove_file(archive.data()).unwrap();
    let ran = archive.verify();
    assert_eq!(ran.status.code(), Some(3), "{ran:?}");
    assert!(
        ran.stdout.contains("not there, and 4 restore points in it"),
        "{ran:?}"
    );
    let repository = archive.repository.to_str().unwrap();
    assert!(ran.stderr.contains("rescan --forget-missing"), "{ran:?}");
    run(["rescan", "--repository", repository, "--forget-missing"]).success();
    archive.verify().success();
}

#[test]
fn a_damaged_differential_is_planned_around() {
    let archive = Archive::new();
    let differential = archive.id("diff");
    archive.damage(3);
    let said = archive.restore("first", &[]).failure(1);
    let advice = format!("--without {differential}");
    assert!(said.contains(&advice), "{said}");
    let said = archive
        .restore("first", &["--replace", "--without", &differential])
        .success();
    assert!(said.contains("restored Sales in 3 steps"), "{said}");
}

#[test]
fn a_full_that_is_left_out_leaves_no_way() {
    let archive = Archive::new();
    let full = archive.id("full");
    let said = archive.restore("first", &["--without", &full]).failure(3);
    assert!(said.contains("it is to be left out"), "{said}");
    let nobody = "00000000-0000-0000-0000-000000000001";
    let said = archive.restore("first", &["--without", nobody]).failure(1);
    assert!(said.contains("there is no restore point"), "{said}");
}
