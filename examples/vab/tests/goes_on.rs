//! The server is killed while backups run, and started again: the backups go on where they were,
//! and end as if nothing had happened.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and the lints know only test functions"
)]

mod common;

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use common::{JOB, Server, empty_repository, list, run, text, vab};

/// A container of `mib` MiB that the import takes as it is; no two of its pages are the same.
fn container(folder: &Path, name: &str, mib: u32) -> PathBuf {
    let path = folder.join(name);
    let mut file = File::create(&path).unwrap();
    file.write_all(b"MSSQLBAK").unwrap();
    for part in 0..mib {
        let block: Vec<u8> = (0..1_u32 << 18)
            .flat_map(|i| (i ^ (part << 18)).wrapping_mul(2_654_435_761).to_le_bytes())
            .collect();
        file.write_all(&block).unwrap();
    }
    path
}

fn stored_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => stored_bytes(&entry.path()),
            Ok(metadata) => metadata.len(),
            // Replaced just now.
            Err(_) => 0,
        })
        .sum()
}

/// Waits until the repository holds so many bytes, or the backup is over.
fn wait_for(repository: &Path, bytes: u64, backup: &mut Child) -> bool {
    for _ in 0..60_000 {
        if stored_bytes(repository) >= bytes {
            return true;
        }
        if backup.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("no blocks arrive");
}

fn import(server: &Server, file: &Path) -> Child {
    vab(["import", "--server", &server.address, "--job", JOB])
        .arg(file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_backup_ends_confirmed_although_the_server_was_killed() {
    const KILLS: u64 = 3;
    let (folder, repository) = empty_repository();
    let small = container(folder.path(), "small.bak", 1);
    let large = container(folder.path(), "large.bak", 256);
    let mut server = Server::start(&repository);
    let address = server.address.clone();
    let small_text = small.to_str().unwrap();
    run(["import", "--server", &address, "--job", JOB, small_text]).success();
    let before = stored_bytes(&repository);
    let mut backup = import(&server, &large);
    let mut kills = 0;
    for kill in 1..=KILLS {
        if !wait_for(&repository, before + kill * (48 << 20), &mut backup) {
            break;
        }
        server.kill();
        kills += 1;
        // What is there now goes on, and is not sent again from the start.
        let there = stored_bytes(&repository);
        server = Server::start_at(&repository, &address);
        assert!(stored_bytes(&repository) <= there);
    }
    let status = backup.wait().unwrap();
    assert!(status.success(), "the backup failed: {status}");
    assert!(kills > 0, "the backup was over before the first kill");
    let points = list(["--server", &address]);
    assert_eq!(points.len(), 2);
    for (name, original) in [("small.bak", &small), ("large.bak", &large)] {
        let to = folder.path().join(format!("out of {name}"));
        let exported = points.iter().any(|point| {
            run([
                "export",
                "--server",
                &address,
                "--point",
                text(point, "id"),
                "--to",
                to.to_str().unwrap(),
                "--overwrite",
            ])
            .success();
            to.join(name).exists()
        });
        assert!(exported, "{name}");
        assert!(
            std::fs::read(to.join(name)).unwrap() == std::fs::read(original).unwrap(),
            "{name} is as it was"
        );
    }
    run(["verify", "--repository", repository.to_str().unwrap()]).success();
    println!("server killed {kills} times during one backup: confirmed, and equal");
}

#[test]
fn a_backup_ends_with_an_error_when_the_disk_changed_what_was_acknowledged() {
    let (folder, repository) = empty_repository();
    let large = container(folder.path(), "large.bak", 256);
    let mut server = Server::start(&repository);
    let address = server.address.clone();
    let mut backup = vab(["import", "--server", &address, "--job", JOB])
        .args(["--compression", "none"])
        .arg(&large)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // More than a source keeps: it was told that the beginning is durable.
    assert!(wait_for(&repository, 160 << 20, &mut backup));
    server.kill();
    let job = std::fs::read_dir(&repository).unwrap().map(Result::unwrap);
    let job = job.map(|entry| entry.path()).find(|path| path.is_dir());
    let mut files = std::fs::read_dir(job.unwrap()).unwrap().map(Result::unwrap);
    let data = files.find(|file| file.file_name().to_string_lossy().ends_with(".VAB.part"));
    let data = File::options()
        .read(true)
        .write(true)
        .open(data.unwrap().path())
        .unwrap();
    let mut byte = [0];
    data.read_exact_at(&mut byte, 5_000_000).unwrap();
    data.write_all_at(&[byte[0] ^ 1], 5_000_000).unwrap();
    server = Server::start_at(&repository, &address);
    let output = backup.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(
        said.contains("are durable: its disk has damaged what was written"),
        "{said}"
    );
    assert_eq!(list(["--server", &server.address]).len(), 0);
}

#[test]
fn what_nobody_comes_back_for_makes_room_for_the_next_backup() {
    let (folder, repository) = empty_repository();
    let large = container(folder.path(), "large.bak", 128);
    let server = Server::start(&repository);
    let mut backup = import(&server, &large);
    assert!(wait_for(&repository, 16 << 20, &mut backup));
    server.kill();
    backup.kill().unwrap();
    backup.wait().unwrap();
    let server = Server::start(&repository);
    assert_eq!(list(["--server", &server.address]).len(), 0);
    let mut again = import(&server, &large);
    assert!(again.wait().unwrap().success());
    assert_eq!(list(["--server", &server.address]).len(), 1);
    // Nothing of the first is left beside it.
    let length = std::fs::metadata(&large).unwrap().len();
    assert!(stored_bytes(&repository) < length + length / 50 + (1 << 20));
    run(["verify", "--repository", repository.to_str().unwrap()]).success();
}
