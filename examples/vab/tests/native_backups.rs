//! Real SQL Server backups, from their files through virtual devices, the network and a
//! repository, and back to files.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and the lints know only test functions"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use common::{JOB, Server, empty_repository, list, native_backups, run, text};
use serde_json::Value;

/// A row of the manifest: what an independent reader found in a file.
struct Expected {
    bytes: Vec<u8>,
    facts: BTreeMap<String, String>,
}

fn manifest(folder: &Path) -> Vec<Expected> {
    let manifest = std::fs::read_to_string(folder.join("manifest.csv")).unwrap();
    let mut lines = manifest.lines();
    let names: Vec<_> = lines.next().unwrap().split(',').collect();
    lines
        .map(|line| {
            let facts: BTreeMap<_, _> = names
                .iter()
                .zip(line.split(','))
                .map(|(name, value)| ((*name).to_owned(), value.to_owned()))
                .collect();
            Expected {
                bytes: std::fs::read(folder.join(&facts["path"])).unwrap(),
                facts,
            }
        })
        .collect()
}

fn same_bytes(one: &Path, other: &Path) -> bool {
    std::fs::read(one).unwrap() == std::fs::read(other).unwrap()
}

#[track_caller]
fn listed_as_the_manifest_says(rows: &[Value], expected: &[Expected]) {
    for Expected { facts, .. } in expected
        .iter()
        .filter(|file| !file.facts["first_lsn"].is_empty())
    {
        let set = &facts["backup_set_uuid"];
        let row = rows
            .iter()
            .find(|row| text(row, "backup_set_id") == set)
            .unwrap();
        let same = [
            ("kind", "kind"),
            ("database", "database"),
            ("server", "server"),
            ("first_lsn", "first_lsn"),
            ("last_lsn", "last_lsn"),
            ("checkpoint_lsn", "checkpoint_lsn"),
            ("database_backup_lsn", "database_backup_lsn"),
            ("recovery_fork", "recovery_fork_guid"),
        ];
        for (field, column) in same {
            assert_eq!(
                text(row, field),
                facts[column],
                "{field} of {}",
                facts["path"]
            );
        }
        for (field, column) in [("started", "start"), ("finished", "finish")] {
            assert_eq!(
                text(row, field),
                facts[column].replace(' ', "T"),
                "{field} of {}",
                facts["path"]
            );
        }
        let stripes = facts["stripe"].split_once('/').unwrap().1;
        assert_eq!(
            row["streams"].to_string(),
            stripes,
            "streams of {}",
            facts["path"]
        );
        assert_eq!(text(row, "job"), JOB);
        assert_eq!(text(row, "state"), "restorable", "{row}");
        if !facts["differential_base_guid"].is_empty() {
            let base = rows
                .iter()
                .find(|base| text(base, "id") == text(row, "base"))
                .unwrap();
            assert_eq!(text(base, "backup_set_id"), facts["differential_base_guid"]);
        }
    }
}

#[track_caller]
fn exported_files_are_the_originals(source: [&str; 2], rows: &[Value], expected: &[Expected]) {
    let folder = tempfile::tempdir().unwrap();
    let mut exported = Vec::new();
    for row in rows {
        let to = folder.path().join(text(row, "id"));
        run([
            "export",
            source[0],
            source[1],
            "--point",
            text(row, "id"),
            "--to",
            to.to_str().unwrap(),
        ])
        .success();
        for file in std::fs::read_dir(to).unwrap() {
            exported.push(std::fs::read(file.unwrap().path()).unwrap());
        }
    }
    let exported: BTreeSet<_> = exported.iter().collect();
    let originals: BTreeSet<_> = expected.iter().map(|file| &file.bytes).collect();
    assert_eq!(exported.len(), expected.len());
    assert!(
        exported == originals,
        "exported files differ from the originals"
    );
    println!(
        "{} native files exported from {}, all equal",
        exported.len(),
        source[0]
    );
}

#[test]
fn every_native_backup_goes_through_and_comes_back_byte_for_byte() {
    let Some(backups) = native_backups() else {
        return;
    };
    let expected = manifest(&backups);
    let (_folder, repository) = empty_repository();

    let server = Server::start(&repository);
    let said = run([
        "import",
        "--server",
        &server.address,
        "--job",
        JOB,
        backups.to_str().unwrap(),
    ])
    .success();
    assert!(said.contains(", 0 failed, 0 problems"), "{said}");
    let rows = list(["--server", &server.address]);
    listed_as_the_manifest_says(&rows, &expected);
    exported_files_are_the_originals(["--server", &server.address], &rows, &expected);
    let repository_text = repository.to_str().unwrap();
    assert_eq!(
        list(["--repository", repository_text]),
        rows,
        "the folder shows the same beside the server"
    );

    // Once more after the server was killed, without one, and after it was started again.
    server.kill();
    assert_eq!(list(["--repository", repository_text]), rows);
    exported_files_are_the_originals(["--repository", repository_text], &rows, &expected);
    let server = Server::start(&repository);
    assert_eq!(list(["--server", &server.address]), rows);
    exported_files_are_the_originals(["--server", &server.address], &rows, &expected);

    let said = run([
        "import",
        "--server",
        &server.address,
        "--job",
        JOB,
        backups.to_str().unwrap(),
    ])
    .success();
    assert!(
        said.contains("48 there already"),
        "known sets are left out: {said}"
    );
    run(["verify", "--repository", repository_text]).success();
}

#[test]
fn a_compressed_container_is_kept_whole_with_the_facts_that_can_be_read() {
    let Some(backups) = native_backups() else {
        return;
    };
    let original = backups.join("TutorialDB.bak");
    let (folder, repository) = empty_repository();
    let server = Server::start(&repository);
    let (address, file) = (&server.address, original.to_str().unwrap());
    run(["import", "--server", address, "--job", JOB, file]).success();

    let rows = list(["--server", address]);
    assert_eq!(text(&rows[0], "database"), "TutorialDB");
    assert_eq!(text(&rows[0], "kind"), "full");
    let to = folder.path().join("out");
    let (point, to_text) = (text(&rows[0], "id"), to.to_str().unwrap());
    run([
        "export", "--server", address, "--point", point, "--to", to_text,
    ])
    .success();
    assert!(same_bytes(&to.join("TutorialDB.bak"), &original));
}

#[test]
fn a_differential_without_its_full_is_kept_and_says_so() {
    let Some(backups) = native_backups() else {
        return;
    };
    let differential = backups.join("RestoreTimeClean/RestoreTimeClean2.bak");
    let (_folder, repository) = empty_repository();
    let server = Server::start(&repository);
    run([
        "import",
        "--server",
        &server.address,
        "--job",
        JOB,
        differential.to_str().unwrap(),
    ])
    .success();

    let rows = list(["--server", &server.address]);
    assert_eq!(text(&rows[0], "state"), "base missing");
    let plan = run([
        "restore",
        "--server",
        &server.address,
        "--database",
        "RestoreTimeClean",
        "--dry-run",
    ]);
    let said = plan.failure(3);
    assert!(
        said.contains("5af3e50d-a4e0-4e9b-8aef-fe52898c6359"),
        "the missing base is named: {said}"
    );
}

#[test]
fn a_missing_stripe_is_named_and_leaves_no_restore_point() {
    let Some(backups) = native_backups() else {
        return;
    };
    let one = backups.join("RestoreTimeStripe/Stripe1/RestoreTimeStripe.bak");
    let (_folder, repository) = empty_repository();
    let server = Server::start(&repository);
    let said = run([
        "import",
        "--server",
        &server.address,
        "--job",
        JOB,
        one.to_str().unwrap(),
    ])
    .failure(1);
    assert!(said.contains("stripe 2 of 2"), "{said}");
    assert_eq!(list(["--server", &server.address]), Vec::<Value>::new());
}

#[test]
fn a_file_cut_short_anywhere_is_refused() {
    let Some(backups) = native_backups() else {
        return;
    };
    let whole = std::fs::read(
        backups.join("dbOrphanUsers/LOG/SQL2008_dbOrphanUsers_LOG_20170518_041837.trn"),
    )
    .unwrap();
    let (folder, repository) = empty_repository();
    let server = Server::start(&repository);
    let cuts = [
        0,
        1,
        51,
        52,
        511,
        512,
        1024,
        4096,
        whole.len() / 2,
        whole.len() - 512,
        whole.len() - 1,
    ];
    for cut in cuts {
        let file = folder.path().join("cut.trn");
        std::fs::write(&file, &whole[..cut]).unwrap();
        let said = run([
            "import",
            "--server",
            &server.address,
            "--job",
            JOB,
            file.to_str().unwrap(),
        ])
        .failure(1);
        assert!(said.contains("cut.trn"), "cut at {cut}: {said}");
    }
    assert_eq!(list(["--server", &server.address]), Vec::<Value>::new());
}

#[test]
fn plans_of_real_chains_are_made_and_a_moment_before_them_is_refused() {
    let Some(backups) = native_backups() else {
        return;
    };
    let (_folder, repository) = empty_repository();
    let server = Server::start(&repository);
    let clean = backups.join("RestoreTimeClean");
    run([
        "import",
        "--server",
        &server.address,
        "--job",
        JOB,
        clean.to_str().unwrap(),
    ])
    .success();

    let base = [
        "restore",
        "--server",
        &server.address,
        "--database",
        "RestoreTimeClean",
        "--dry-run",
    ];
    let plan = run(base.into_iter().chain(["--at", "2017-06-01T13:21:00"])).success();
    let kinds: Vec<_> = plan
        .lines()
        .filter(|line| line.starts_with(|first: char| first.is_ascii_digit()))
        .map(|line| line.split(' ').nth(1).unwrap())
        .collect();
    assert_eq!(kinds, ["full", "diff", "log", "log"], "{plan}");
    run(base.into_iter().chain(["--at", "2017-06-01T12:00:00"])).failure(3);

    let timeline = ["timeline", "--server", &server.address];
    let drawn = run(timeline).success();
    assert!(
        drawn.contains("reachable 2017-06-01T12:59:12 to 2017-06-01T13:29:13"),
        "{drawn}"
    );
    for (format, begin) in [("svg", "<svg"), ("mermaid", "gantt")] {
        let drawn = run(timeline.into_iter().chain(["--format", format])).success();
        assert!(drawn.starts_with(begin), "{drawn}");
    }
}
