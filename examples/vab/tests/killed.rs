//! Either side killed or interrupted in mid-stream, and a disk that fills up: what was committed
//! stays, what was not is nowhere, and the next backup works.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::zombie_processes,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and the lints know only test functions"
)]

mod common;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use common::{JOB, Server, empty_repository, list, run, signal, text, vab};
use serde_json::Value;

/// A container of `mib` MiB that the import takes as it is.
fn container(folder: &Path, name: &str, mib: usize) -> PathBuf {
    let path = folder.join(name);
    let mut file = File::create(&path).unwrap();
    file.write_all(b"MSSQLBAK").unwrap();
    let block: Vec<u8> = (0..1_u32 << 18)
        .flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    for _ in 0..mib {
        file.write_all(&block).unwrap();
    }
    path
}

/// Starts an import and returns when its blocks arrive in the repository.
fn import_in_mid_stream(server: &Server, file: &Path) -> Child {
    let before = stored_bytes(&server.repository);
    let child = vab(["import", "--server", &server.address, "--job", JOB])
        // Slow enough to be in mid-stream for seconds.
        .args(["--compression", "none", "--limit", "100MiB/s"])
        .arg(file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    for _ in 0..20_000 {
        if stored_bytes(&server.repository) > before + (1 << 20) {
            return child;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("no blocks arrive");
}

fn stored_bytes(folder: &Path) -> u64 {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let Ok(metadata) = entry.metadata() else {
                return 0;
            };
            if metadata.is_dir() {
                stored_bytes(&entry.path())
            } else {
                metadata.len()
            }
        })
        .sum()
}

/// A repository with one restore point, its listing, and a large file to be imported.
struct Ready {
    folder: tempfile::TempDir,
    repository: PathBuf,
    small: PathBuf,
    large: PathBuf,
}

impl Ready {
    fn new() -> Self {
        let (folder, repository) = empty_repository();
        let small = container(folder.path(), "small.bak", 1);
        let large = container(folder.path(), "large.bak", 512);
        Self {
            folder,
            repository,
            small,
            large,
        }
    }

    fn import_small(&self, server: &Server) -> Value {
        let small = self.small.to_str().unwrap();
        run(["import", "--server", &server.address, "--job", JOB, small]).success();
        list(["--server", &server.address]).pop().unwrap()
    }

    /// The first restore point is there and whole, alone, and the next backup works.
    #[track_caller]
    fn nothing_was_lost(&self, server: &Server, before: &Value) {
        assert_eq!(
            list(["--server", &server.address]),
            std::slice::from_ref(before),
            "only what was committed"
        );
        let to = self.folder.path().join("out");
        let (point, to_text) = (text(before, "id"), to.to_str().unwrap());
        run([
            "export",
            "--server",
            &server.address,
            "--point",
            point,
            "--to",
            to_text,
        ])
        .success();
        let exported = std::fs::read(to.join("small.bak")).unwrap();
        assert!(
            exported == std::fs::read(&self.small).unwrap(),
            "what was committed is as it was"
        );
        let next = container(self.folder.path(), "next.bak", 1);
        run([
            "import",
            "--server",
            &server.address,
            "--job",
            JOB,
            next.to_str().unwrap(),
        ])
        .success();
        assert_eq!(list(["--server", &server.address]).len(), 2);
        run(["verify", "--repository", self.repository.to_str().unwrap()]).success();
    }
}

#[test]
fn the_source_is_killed_in_mid_stream() {
    let ready = Ready::new();
    let server = Server::start(&ready.repository);
    let before = ready.import_small(&server);
    let mut import = import_in_mid_stream(&server, &ready.large);
    import.kill().unwrap();
    import.wait().unwrap();
    ready.nothing_was_lost(&server, &before);
}

/// A shell that starts the tests in the background makes them ignore SIGINT, and they their children.
fn interrupts_are_ignored() -> bool {
    const SIGINT: u64 = 1 << 1;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & SIGINT != 0)
}

#[test]
fn the_source_is_interrupted_in_mid_stream() {
    if interrupts_are_ignored() {
        println!(
            "skipped: these tests were started with SIGINT ignored, as in the background of a shell"
        );
        return;
    }
    let ready = Ready::new();
    let server = Server::start(&ready.repository);
    let before = ready.import_small(&server);
    let mut import = import_in_mid_stream(&server, &ready.large);
    signal("INT", import.id());
    assert!(!import.wait().unwrap().success());
    ready.nothing_was_lost(&server, &before);
}

#[test]
fn the_target_is_killed_in_mid_stream() {
    let ready = Ready::new();
    let server = Server::start(&ready.repository);
    let before = ready.import_small(&server);
    let mut import = import_in_mid_stream(&server, &ready.large);
    server.kill();
    // It would try to come back for half an hour.
    import.kill().unwrap();
    import.wait().unwrap();
    let server = Server::start(&ready.repository);
    ready.nothing_was_lost(&server, &before);
}

#[test]
fn the_target_is_interrupted_in_mid_stream() {
    let ready = Ready::new();
    let server = Server::start(&ready.repository);
    let before = ready.import_small(&server);
    let mut import = import_in_mid_stream(&server, &ready.large);
    assert!(
        server.interrupt().success(),
        "Ctrl-C ends the server cleanly"
    );
    import.kill().unwrap();
    import.wait().unwrap();
    let server = Server::start(&ready.repository);
    // It may have been finished before the server stopped; then it is whole.
    let rows = list(["--server", &server.address]);
    if rows.len() == 1 {
        ready.nothing_was_lost(&server, &before);
    } else {
        run(["verify", "--repository", ready.repository.to_str().unwrap()]).success();
    }
}
