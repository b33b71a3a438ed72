//! Compressed and encrypted backups, made, restored and exported by separate runs of the program.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and the lints know only test functions"
)]

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use common::{JOB, Ran, Server, empty_repository, list, run, text, vab};
use vab_manager::engine::RecoveryModel;
use vab_manager::engine::sim::{Instance, Options};
use vab_manager::{Clock, ServerTime, SystemClock};

/// In every row; nobody without the key may find it.
const MARKER: &str = "a confidential row of a customer";

fn now() -> ServerTime {
    ServerTime::from_micros(SystemClock.now().as_micros())
}

fn open(folder: &Path) -> Instance {
    Instance::open_or_create(folder, Options::new(now).utc_offset(0)).unwrap()
}

fn work(folder: &Path, keys: std::ops::Range<u64>) {
    let instance = open(folder);
    let database = match instance.database("Sales") {
        Ok(database) => database,
        Err(_) => instance
            .create_database("Sales", RecoveryModel::Full)
            .unwrap(),
    };
    let mut transaction = database.begin().unwrap();
    for key in keys {
        let row = format!("{key} {MARKER} ").repeat(10);
        transaction.put(key, row.as_bytes()).unwrap();
    }
    transaction.commit().unwrap();
}

fn digest(folder: &Path, database: &str) -> impl PartialEq + std::fmt::Debug + use<> {
    open(folder).database(database).unwrap().digest().unwrap()
}

/// A folder with an engine and keys, and a server.
struct Place {
    folder: tempfile::TempDir,
    repository: PathBuf,
    server: Server,
}

impl Place {
    fn new() -> Self {
        let (folder, repository) = empty_repository();
        let server = Server::start(&repository);
        let place = Self {
            folder,
            repository,
            server,
        };
        work(&place.engine(), 0..2000);
        for name in ["key", "other"] {
            run(["key", "new", &place.path(name)]).success();
        }
        std::fs::write(place.path("phrase"), "correct horse battery staple\n").unwrap();
        place
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn engine(&self) -> PathBuf {
        self.folder.path().join("engine")
    }

    fn backup_to(&self, server: &str, kind: &str, more: &[&str]) -> Ran {
        let engine = format!("sim:{}", self.engine().display());
        let arguments = [
            "backup",
            "--server",
            server,
            "--job",
            JOB,
            "--engine",
            &engine,
            "--database",
            "Sales",
            "--type",
            kind,
        ];
        run(arguments.into_iter().chain(more.iter().copied()))
    }

    fn backup(&self, kind: &str, more: &[&str]) -> Ran {
        self.backup_to(&self.server.address, kind, more)
    }

    fn restore(&self, target: &str, more: &[&str]) -> Ran {
        let target = format!("sim:{}", self.path(target));
        let arguments = [
            "restore",
            "--server",
            &self.server.address,
            "--database",
            "Sales",
            "--engine",
            &target,
        ];
        run(arguments.into_iter().chain(more.iter().copied()))
    }

    fn repository(&self) -> &str {
        self.repository.to_str().unwrap()
    }

    /// The `.VAB` of the last restore point.
    fn vab(&self) -> String {
        let rows = list(["--repository", self.repository()]);
        let file = self.repository.join(text(rows.last().unwrap(), "file"));
        file.display().to_string()
    }
}

/// Whether a file below `folder` holds the marker, or `bytes` do.
fn found_in(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found_in(&path)
        } else {
            holds_marker(&std::fs::read(path).unwrap())
        }
    })
}

fn holds_marker(bytes: &[u8]) -> bool {
    let marker = MARKER.as_bytes();
    bytes.windows(marker.len()).any(|window| window == marker)
}

#[test]
fn every_encoding_is_restored_and_exported_and_tells_nobody_else() {
    for compression in ["none", "lz4", "zstd:3", "auto"] {
        for secret in [
            None,
            Some("--encryption-key-file"),
            Some("--passphrase-file"),
        ] {
            // Stretching a passphrase costs time on purpose; once is enough.
            if secret == Some("--passphrase-file") && compression != "auto" {
                continue;
            }
            let place = Place::new();
            let file = place.path(if secret == Some("--passphrase-file") {
                "phrase"
            } else {
                "key"
            });
            let with = |option: Option<&'static str>| -> Vec<String> {
                let option = option.map(|option| [option.to_owned(), file.clone()]);
                option.into_iter().flatten().collect()
            };
            let secret_arguments = with(secret);
            let mut how = vec!["--compression", compression];
            how.extend(secret_arguments.iter().map(String::as_str));
            let opening: Vec<_> = secret_arguments.iter().map(String::as_str).collect();

            place
                .backup("full", &[&how[..], &["--streams", "3"]].concat())
                .success();
            work(&place.engine(), 1500..2500);
            place.backup("log", &how).success();

            let rows = list(["--repository", place.repository()]);
            assert_eq!(rows.len(), 2);
            for row in &rows {
                assert_eq!(row["encrypted"], secret.is_some(), "{row}");
                let (bytes, stored) = (&row["bytes"], &row["stored_bytes"]);
                let smaller = stored.as_u64() < bytes.as_u64().map(|bytes| bytes / 2);
                assert_eq!(smaller, compression != "none", "{row}");
                let codec = text(row, "codec");
                match compression {
                    "none" => assert_eq!(codec, "raw"),
                    "lz4" => assert_eq!(codec, "lz4"),
                    "zstd:3" => assert_eq!(codec, "zstd"),
                    _ => assert!(codec.contains("lz4") || codec.contains("zstd"), "{codec}"),
                }
            }
            // Without the key everything can be listed and checked.
            run(["verify", "--repository", place.repository()]).success();
            let seen = found_in(&place.repository);
            assert!(!seen || secret.is_none(), "{compression} {secret:?}");
            assert!(seen || secret.is_some() || compression != "none");

            place.restore("restored", &opening).success();
            let restored = digest(&place.folder.path().join("restored"), "Sales");
            assert_eq!(restored, digest(&place.engine(), "Sales"));

            let to = place.path("exported");
            let point = text(&rows[0], "id");
            let export = [
                "export",
                "--repository",
                place.repository(),
                "--point",
                point,
            ];
            let export = export.into_iter().chain(["--to", &to]);
            run(export.clone().chain(opening.iter().copied())).success();
            let exported = std::fs::read_dir(&to).unwrap();
            let length: u64 = exported
                .map(|file| file.unwrap().metadata().unwrap().len())
                .sum();
            assert_eq!(Some(length), rows[0]["bytes"].as_u64());
            assert!(found_in(Path::new(&to)), "the native files are in plain");
        }
    }
}

#[test]
fn without_the_right_key_nothing_comes_out_and_the_option_is_named() {
    let place = Place::new();
    let (key, other) = (place.path("key"), place.path("other"));
    place
        .backup("full", &["--encryption-key-file", &key])
        .success();
    let said = place.restore("target", &[]).failure(1);
    assert!(said.contains("--encryption-key-file"), "{said}");
    assert!(!place.folder.path().join("target/Sales").exists());
    let said = place
        .restore("target", &["--encryption-key-file", &other])
        .failure(1);
    assert!(said.contains("key `key`"), "the slots are named: {said}");

    // The file in force belongs to another key; a full begins a new one.
    work(&place.engine(), 0..10);
    let said = place
        .backup("log", &["--encryption-key-file", &other])
        .failure(1);
    assert!(said.contains("full backup"), "{said}");
    assert_eq!(list(["--repository", place.repository()]).len(), 1);
    place
        .backup("full", &["--encryption-key-file", &other])
        .success();
    // A restore over both files takes both keys.
    let both = [
        "--encryption-key-file",
        &key,
        "--encryption-key-file",
        &other,
    ];
    place.restore("latest", &both).success();

    // A program that cannot write files gives a passphrase in its environment.
    let engine = format!("sim:{}", place.path("target"));
    let restore = [
        "restore",
        "--repository",
        place.repository(),
        "--database",
        "Sales",
        "--engine",
        &engine,
    ];
    let ran = vab(restore)
        .env("VAB_PASSPHRASE", "not this one")
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(1));
    let said = String::from_utf8(ran.stderr).unwrap();
    assert!(
        said.contains("VAB_PASSPHRASE") && !said.contains("not this one"),
        "{said}"
    );
}

#[test]
fn a_key_is_changed_for_another() {
    let place = Place::new();
    let (key, other) = (place.path("key"), place.path("other"));
    let with = |key| ["--encryption-key-file", key];
    place.backup("full", &with(&key)).success();
    let vab = place.vab();
    let listed = run(["key", "list", &vab]).success();
    assert!(
        listed.contains("slot 0  key") && listed.lines().count() == 1,
        "{listed}"
    );

    let add = ["key", "add", &vab, "--new-key-file", &other];
    run(add.into_iter().chain(with(&other))).failure(1);
    run(add.into_iter().chain(with(&key))).success();
    place.restore("by the new", &with(&other)).success();
    let remove = ["key", "remove", &vab, "--slot", "0"];
    run(remove.into_iter().chain(with(&key))).failure(1);
    run(remove.into_iter().chain(with(&other))).success();
    place.restore("by the old", &with(&key)).failure(1);

    // The file goes on with the new key, beside a server that runs.
    work(&place.engine(), 0..20);
    place.backup("log", &with(&other)).success();
    assert_eq!(place.vab(), vab);
    place.restore("again", &with(&other)).success();
    let restored = digest(&place.folder.path().join("again"), "Sales");
    assert_eq!(restored, digest(&place.engine(), "Sales"));
    let last = ["key", "remove", &vab, "--slot", "1"];
    let said = run(last.into_iter().chain(with(&other))).failure(1);
    assert!(said.contains("only one"), "{said}");
    run(["verify", "--repository", place.repository()]).success();
    let listed = run(["key", "list", &vab, "--json"]).success();
    let slots: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(slots[0]["label"], "other");
}

/// Passes bytes on to a server, and keeps them.
fn listen_in(server: &str) -> (String, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (server, kept) = (server.to_owned(), Arc::clone(&heard));
    std::thread::spawn(move || {
        for near in listener.incoming() {
            let (near, far) = (near.unwrap(), TcpStream::connect(&server).unwrap());
            pass(near.try_clone().unwrap(), far.try_clone().unwrap(), &kept);
            pass(far, near, &kept);
        }
    });
    (address, heard)
}

fn pass(mut from: TcpStream, mut to: TcpStream, heard: &Arc<Mutex<Vec<u8>>>) {
    let heard = Arc::clone(heard);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 65_536];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            heard.lock().unwrap().extend_from_slice(&buffer[..count]);
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _closed_already = to.shutdown(std::net::Shutdown::Write);
    });
}

#[test]
fn who_listens_on_the_wire_hears_nothing_of_an_encrypted_backup() {
    let place = Place::new();
    let key = place.path("key");
    let (address, heard) = listen_in(&place.server.address);
    let plain = ["--compression", "none"];
    place.backup_to(&address, "full", &plain).success();
    assert!(holds_marker(&heard.lock().unwrap()), "the wire is heard");

    heard.lock().unwrap().clear();
    let sealed = ["--compression", "none", "--encryption-key-file", &key];
    place.backup_to(&address, "full", &sealed).success();
    let heard = heard.lock().unwrap();
    assert!(heard.len() > 500_000, "{} bytes", heard.len());
    assert!(!holds_marker(&heard));
    let key = std::fs::read(key).unwrap();
    assert!(!heard.windows(64).any(|window| window == &key[..64]));
}
