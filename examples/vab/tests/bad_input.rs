//! What people get wrong, and what is sent by those who mean harm.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and the lints know only test functions"
)]

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use common::{JOB, Server, empty_repository, list, run};
use serde_json::Value;

#[test]
fn what_is_no_backup_is_refused_by_name() {
    let (folder, repository) = empty_repository();
    let server = Server::start(&repository);
    let file = folder.path().join("holiday.bak");
    std::fs::write(&file, b"this is a letter, not a backup".repeat(100)).unwrap();
    let said = run([
        "import",
        "--server",
        &server.address,
        "--job",
        JOB,
        file.to_str().unwrap(),
    ])
    .failure(1);
    assert!(said.contains("holiday.bak"), "{said}");
    let said = run([
        "import",
        "--server",
        &server.address,
        "--job",
        JOB,
        "/no/such/file",
    ])
    .failure(1);
    assert!(said.contains("/no/such/file"), "{said}");
    assert_eq!(list(["--server", &server.address]), Vec::<Value>::new());
}

#[test]
fn a_container_that_cannot_be_looked_into_is_kept_whole_and_says_that_its_lsns_are_unknown() {
    let (folder, repository) = empty_repository();
    let server = Server::start(&repository);
    let (address, file) = (server.address.as_str(), folder.path().join("Sealed.bak"));
    let mut bytes = b"MSSQLBAK".to_vec();
    bytes.extend((0..70_000_u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()));
    std::fs::write(&file, &bytes).unwrap();
    run([
        "import",
        "--server",
        address,
        "--job",
        JOB,
        file.to_str().unwrap(),
    ])
    .success();

    let rows = list(["--server", address]);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["first_lsn"], Value::Null);
    assert_eq!(rows[0]["kind"], "unknown");
    assert_eq!(rows[0]["state"], "LSNs unknown");
    let point = rows[0]["id"].as_str().unwrap();
    let to = folder.path().join("out");
    run([
        "export",
        "--server",
        address,
        "--point",
        point,
        "--to",
        to.to_str().unwrap(),
    ])
    .success();
    assert!(std::fs::read(to.join("Sealed.bak")).unwrap() == bytes);
}

#[test]
fn nobody_at_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let said = run(["list", "--server", &address]).failure(1);
    assert!(said.contains(&address), "{said}");
}

#[test]
fn somebody_else_at_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let web = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            .unwrap();
        let _closed = stream.read(&mut [0; 1024]);
    });
    let said = run(["list", "--server", &address]).failure(1);
    assert!(said.contains(&address), "{said}");
    web.join().unwrap();
}

#[test]
fn the_port_is_in_use() {
    let (_folder, repository) = empty_repository();
    let server = Server::start(&repository);
    let (_other_folder, other) = empty_repository();
    let said = run([
        "serve",
        "--listen",
        &server.address,
        "--repository",
        other.to_str().unwrap(),
    ])
    .failure(1);
    assert!(
        said.contains(&server.address) && said.contains("in use"),
        "{said}"
    );
}

#[test]
fn beyond_loopback_only_in_words() {
    let (_folder, repository) = empty_repository();
    let said = run([
        "serve",
        "--listen",
        "0.0.0.0:0",
        "--repository",
        repository.to_str().unwrap(),
    ])
    .failure(1);
    assert!(said.contains("127.0.0.1"), "{said}");
}

#[test]
fn a_repository_that_is_not_there() {
    let (folder, _) = empty_repository();
    let missing = folder.path().join("missing");
    for command in ["serve", "list", "verify"] {
        let said = run([command, "--repository", missing.to_str().unwrap()]).failure(1);
        assert!(said.contains("missing"), "{command}: {said}");
    }
}

#[test]
fn a_folder_that_is_no_repository() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("letter.txt"), "dear").unwrap();
    for command in ["list", "verify"] {
        let said = run([command, "--repository", folder.path().to_str().unwrap()]).failure(1);
        assert!(said.contains("not a repository"), "{command}: {said}");
    }
    let said = run([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--repository",
        folder.path().to_str().unwrap(),
    ])
    .failure(1);
    assert!(said.contains(folder.path().to_str().unwrap()), "{said}");
}

#[test]
fn a_second_server_on_one_repository() {
    let (_folder, repository) = empty_repository();
    let server = Server::start(&repository);
    let said = run([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--repository",
        repository.to_str().unwrap(),
    ])
    .failure(1);
    assert!(
        said.contains(&server.id().to_string()),
        "the process that has it is named: {said}"
    );
    list(["--server", &server.address]);
}

#[test]
fn wrong_arguments_are_a_usage_error() {
    for arguments in [
        &["frobnicate"][..],
        &["list"],
        &["list", "--server", "a", "--repository", "b"],
        &[
            "export",
            "--repository",
            "x",
            "--point",
            "not-an-id",
            "--to",
            "y",
        ],
        &[
            "restore",
            "--repository",
            "x",
            "--database",
            "d",
            "--engine",
            "sim:x",
            "--at",
            "yesterday",
        ],
        &[
            "backup",
            "--job",
            "j",
            "--engine",
            "sim:x",
            "--database",
            "d",
            "--type",
            "half",
        ],
        &[
            "backup",
            "--job",
            "j",
            "--engine",
            "sim:x",
            "--database",
            "d",
            "--type",
            "full",
            "--streams",
            "65",
        ],
    ] {
        run(arguments).failure(2);
    }
}

#[test]
fn hostile_bytes_end_their_connection_and_nothing_else() {
    let (_folder, repository) = empty_repository();
    let server = Server::start(&repository);
    let greeting = greeting_of(&server.address);
    let before = resident_kib(server.id());
    let mut sent = 0;
    for seed in 0_u32..200 {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(15)))
            .unwrap();
        let mut bytes = Vec::new();
        if seed % 3 != 0 {
            bytes.extend_from_slice(&greeting);
        }
        match seed % 4 {
            // Garbage.
            0 => bytes.extend((0..20_000_u32).map(|i| {
                i.wrapping_mul(seed.wrapping_add(2_654_435_761))
                    .to_le_bytes()[1]
            })),
            // Half a frame.
            1 => bytes.extend_from_slice(&greeting[..greeting.len() / 2]),
            // Lengths of 4 GiB.
            2 => bytes.extend_from_slice(&[0xff; 4096]),
            _ => bytes.extend_from_slice(&[0; 4096]),
        }
        // It may close before all was sent; that is its right.
        let _refused = stream.write_all(&bytes);
        let _half_closed = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _reset = stream.take(1 << 20).read_to_end(&mut answer);
        assert!(answer.len() < 1 << 20, "an endless answer to hostile bytes");
        sent += 1;
    }
    assert_eq!(list(["--server", &server.address]), Vec::<Value>::new());
    if let (Some(before), Some(after)) = (before, resident_kib(server.id())) {
        assert!(
            after < before + 32 * 1024,
            "memory grew from {before} KiB to {after} KiB"
        );
        println!(
            "hostile connections: {sent}, server memory {before} KiB before, {after} KiB after"
        );
    }
}

/// What a server of ours says first: it is also what it wants to hear.
fn greeting_of(address: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let mut greeting = vec![0; 4096];
    let length = stream.read(&mut greeting).unwrap();
    greeting.truncate(length);
    greeting
}

/// Resident memory of a process; `None` where the system does not tell.
fn resident_kib(id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}
