//! Discovery, playing and exporting, with media that were written for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use uuid::Uuid;
use vab_chain::{BackupKind, Lsn};
use vab_vdi::memory::Hub;
use vab_vdi::{SetConfig, Transport, Waited};

use super::*;
use crate::engine::{Engine, RecoveryModel};
use crate::mtf::testing::{Set, Tape, pack};
use crate::request::ProgressSink;

#[path = "../../tests/native/client.rs"]
mod client;

use client::{give, names, save};

/// A folder with media in it.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }
}

fn stripes(count: u16) -> Vec<Tape> {
    let stripe = |number: u16| Tape {
        count,
        number,
        sets: vec![Set {
            data: 100_000 + 4096 * usize::from(number),
            ..Set::default()
        }],
        ..Tape::default()
    };
    (1..=count).map(stripe).collect()
}

fn only_problem(found: Discovered) -> Problem {
    assert!(found.sets.is_empty());
    let [problem] = <[Problem; 1]>::try_from(found.problems).unwrap();
    problem
}

#[test]
fn stripes_are_found_in_whatever_files_they_are() {
    let folder = Folder::new();
    let media = stripes(3);
    folder.put("deep/er/x", &media[2].write());
    folder.put("y.dat", &media[0].write());
    folder.put("a", &media[1].write());
    let found = discover([folder.path()]);
    assert!(
        found.problems.is_empty() && found.notes.is_empty(),
        "{found:?}"
    );
    let [set] = found.sets.as_slice() else {
        panic!("{found:?}");
    };
    let files: Vec<String> = set.stripes().iter().map(Stripe::file_name).collect();
    assert_eq!(files, ["y.dat", "a", "x"]);
    assert_eq!(set.facts().unwrap().stripes, 3);
    assert_eq!(set.sets(), 1);
}

#[test]
fn missing_stripes_are_named() {
    let folder = Folder::new();
    folder.put("second", &stripes(4)[1].write());
    let problem = only_problem(discover([folder.path()]));
    let text = problem.to_string();
    let expected = format!(
        "stripes 1, 3, 4 of 4 of media set {} (database Sales ☃, backup set {}) are missing",
        Uuid::from_u128(0xa),
        Uuid::from_u128(0xb)
    );
    assert!(text.starts_with(&expected), "{text}");
}

#[test]
fn stripes_that_disagree_are_no_set() {
    let folder = Folder::new();
    let mut media = stripes(2);
    media[1].sets[0].last = (99, 1, 1);
    folder.put("1", &media[0].write());
    folder.put("2", &media[1].write());
    let problem = only_problem(discover([folder.path()]));
    assert!(
        matches!(problem, Problem::StripesDisagree { .. }),
        "{problem}"
    );
}

#[test]
fn two_backups_of_one_media_set_are_kept_apart() {
    let folder = Folder::new();
    let mut media = stripes(2);
    media[1].sets[0].id = Uuid::from_u128(0xdd);
    folder.put("1", &media[0].write());
    folder.put("2", &media[1].write());
    assert_eq!(discover([folder.path()]).problems.len(), 2);
}

#[test]
fn kinds_without_rules_are_a_problem() {
    let folder = Folder::new();
    let mut tape = Tape::default();
    tape.sets[0].kind = b'F';
    folder.put("files.bak", &tape.write());
    let problem = only_problem(discover([folder.path()]));
    assert!(problem.to_string().contains("single files"), "{problem}");
}

#[test]
fn fulls_come_before_what_follows_them() {
    let folder = Folder::new();
    let set = |name: &str, id: u128, kind: u8, first, last, second| {
        let set = Set {
            id: Uuid::from_u128(id),
            kind,
            first,
            last,
            second,
            ..Set::default()
        };
        let tape = Tape {
            media_set: Uuid::from_u128(id),
            sets: vec![set],
            ..Tape::default()
        };
        folder.put(name, &tape.write());
    };
    set("1 empty log", 1, b'L', (20, 9, 1), (20, 9, 1), 8);
    set("2 log", 2, b'L', (20, 1, 1), (20, 9, 1), 8);
    set("3 diff", 3, b'I', (20, 5, 1), (20, 9, 1), 8);
    set("4 full", 4, b'D', (20, 2, 1), (20, 3, 1), 8);
    let found = discover([folder.path()]);
    let order: Vec<(BackupKind, Lsn)> = found
        .sets
        .iter()
        .filter_map(|set| Some((set.facts()?.kind, set.facts()?.first_lsn)))
        .collect();
    assert_eq!(
        order,
        [
            (BackupKind::Full, Lsn::new(20, 2, 1)),
            (BackupKind::Differential, Lsn::new(20, 5, 1)),
            (BackupKind::Log, Lsn::new(20, 1, 1)),
            (BackupKind::Log, Lsn::new(20, 9, 1)),
        ]
    );
}

#[test]
fn what_is_named_and_is_no_backup_is_a_problem() {
    let folder = Folder::new();
    let text = folder.put("notes.txt", b"not a backup");
    let missing = folder.path().join("nothing");
    let found = discover([&text, &missing]);
    let kinds: Vec<bool> = found
        .problems
        .iter()
        .map(|problem| matches!(problem, Problem::Format { path, .. } if *path == text))
        .collect();
    assert_eq!(kinds, [false, true], "{found:?}");
    assert!(matches!(&found.problems[0], Problem::Unreadable { path, .. } if *path == missing));
}

#[test]
fn a_folder_without_backups_is_a_problem() {
    let folder = Folder::new();
    folder.put("notes.txt", b"not a backup");
    let problem = only_problem(discover([folder.path()]));
    assert!(matches!(problem, Problem::NoBackups { .. }), "{problem}");
}

#[test]
fn several_sets_and_trailing_bytes_are_said() {
    let folder = Folder::new();
    let mut tape = Tape::default();
    tape.sets.push(Set {
        id: Uuid::from_u128(0xee),
        ..Set::default()
    });
    let mut bytes = tape.write();
    bytes.extend([7; 512]);
    let path = folder.put("two.bak", &bytes);
    let found = discover([&path]);
    assert_eq!(found.sets[0].sets(), 2);
    assert_eq!(
        found.notes,
        [
            Note::TrailingBytes {
                path: path.clone(),
                bytes: 512
            },
            Note::SeveralSets { path, count: 2 }
        ]
    );
}

/// Plays a set of three stripes and gives what came back.
fn round_trip(max_transfer: u32, trailing: usize) {
    let folder = Folder::new();
    let streams: Vec<Vec<u8>> = stripes(3)
        .iter()
        .map(|tape| {
            let mut bytes = tape.write();
            bytes.extend(vec![7; trailing]);
            bytes
        })
        .collect();
    for (index, bytes) in streams.iter().enumerate() {
        folder.put(&format!("{index}.bak"), bytes);
    }
    let found = discover([folder.path()]);
    let set = &found.sets[0];
    let hub = Hub::new();
    let mut request = PlayRequest::new(names("play", 3));
    request.max_transfer = max_transfer;
    let told = Arc::new(AtomicU64::new(0));
    let tell = told.clone();
    request.progress = ProgressSink::new(move |progress| {
        tell.fetch_max(progress.bytes, Ordering::Relaxed);
    });
    let engine = hub.clone();
    let (played, saved) = save(&hub, "play", 3, || set.play(&request, &engine));
    assert_eq!(played.unwrap().facts.as_ref(), set.facts());
    let saved: Vec<Vec<u8>> = saved
        .unwrap()
        .into_iter()
        .map(|saved| saved.bytes)
        .collect();
    assert!(saved == streams);
    assert_eq!(told.load(Ordering::Relaxed), set.length());

    let target = Folder::new();
    let files = file_names(set.facts(), &[], 3);
    let mut request = ExportRequest::new(names("export", 3), target.path().join("new"), files);
    request.expected = set.facts().map(|facts| facts.id);
    let engine = hub.clone();
    let (exported, _) = give(&hub, "export", &saved, || export(&request, &engine));
    for (file, stream) in exported.unwrap().files.iter().zip(&streams) {
        assert!(fs::read(&file.path).unwrap() == *stream);
    }
}

#[test]
fn what_is_played_comes_back() {
    round_trip(64 * 1024, 0);
    round_trip(4 << 20, 0);
}

#[test]
fn a_length_that_is_no_whole_number_of_blocks_comes_back() {
    round_trip(64 * 1024, 1);
    round_trip(64 * 1024, 511);
}

#[test]
fn every_stripe_needs_a_device() {
    let folder = Folder::new();
    folder.put("one", &Tape::default().write());
    let found = discover([folder.path()]);
    let error = found.sets[0].play(&PlayRequest::new(names("x", 2)), &Hub::new());
    assert!(matches!(
        error,
        Err(PlayError::DeviceCount {
            stripes: 1,
            devices: 2
        })
    ));
}

#[test]
fn without_a_device_set_nothing_is_played() {
    let folder = Folder::new();
    folder.put("one", &Tape::default().write());
    let found = discover([folder.path()]);
    let mut request = PlayRequest::new(names("nobody", 1));
    request.timeout = Duration::from_millis(1);
    let error = found.sets[0].play(&request, &Hub::new());
    assert!(matches!(error, Err(PlayError::Set(_))), "{error:?}");
}

#[test]
fn a_file_that_was_replaced_is_not_completed() {
    let folder = Folder::new();
    let path = folder.put("one", &Tape::default().write());
    let found = discover([folder.path()]);
    let mut other = Tape::default();
    other.sets[0].id = Uuid::from_u128(0x1234);
    fs::write(&path, other.write()).unwrap();
    let hub = Hub::new();
    let request = PlayRequest::new(names("x", 1));
    let engine = hub.clone();
    let (played, saved) = save(&hub, "x", 1, || found.sets[0].play(&request, &engine));
    assert!(
        matches!(played, Err(PlayError::Changed { .. })),
        "{played:?}"
    );
    saved.unwrap_err();
}

#[test]
fn a_failing_client_leaves_no_file() {
    let target = Folder::new();
    let hub = Hub::new();
    let request = ExportRequest::new(
        names("x", 2),
        target.path(),
        vec!["1".to_owned(), "2".to_owned()],
    );
    let engine = hub.clone();
    let created = hub
        .create(SetConfig::with_names(names("x", 2)).unwrap())
        .unwrap();
    thread::scope(|scope| {
        let exporting = scope.spawn(|| export(&request, &engine));
        let Waited::Ready(set) = created.wait(Duration::from_secs(60)).unwrap() else {
            panic!("the engine never came");
        };
        let (set, devices) = set.open().unwrap();
        drop((set, devices));
        let error = exporting.join().unwrap();
        assert!(
            matches!(error, Err(ExportError::Device { .. })),
            "{error:?}"
        );
    });
    assert_eq!(fs::read_dir(target.path()).unwrap().count(), 0);
}

#[test]
fn a_name_is_that_of_a_file_in_the_folder() {
    let target = Folder::new();
    for name in ["", "..", ".", "a/b", "/etc/passwd", "a/"] {
        let request = ExportRequest::new(names("x", 1), target.path(), vec![name.to_owned()]);
        let error = export(&request, &Hub::new());
        assert!(
            matches!(error, Err(ExportError::Name { .. })),
            "{name:?}: {error:?}"
        );
    }
}

#[test]
fn two_stripes_are_not_written_to_one_file() {
    let target = Folder::new();
    let both = vec!["a.bak".to_owned(), "A.BAK".to_owned()];
    let mut request = ExportRequest::new(names("x", 2), target.path(), both);
    request.existing = Existing::Replace;
    let error = export(&request, &Hub::new());
    assert!(
        matches!(error, Err(ExportError::SameName { .. })),
        "{error:?}"
    );
}

#[test]
fn a_folder_that_is_named_twice_is_looked_at_once() {
    let folder = Folder::new();
    folder.put("in/one.bak", &Tape::default().write());
    let inner = folder.path().join("in");
    for paths in [
        [folder.path(), &inner],
        [&inner, folder.path()],
        [&inner, &inner],
    ] {
        let found = discover(paths);
        assert_eq!(found.sets.len(), 1);
        assert!(
            found.problems.is_empty() && found.notes.is_empty(),
            "{found:?}"
        );
    }
}

#[test]
fn compressed_stripes_are_a_set_as_well() {
    let folder = Folder::new();
    for (index, tape) in stripes(2).iter().enumerate() {
        folder.put(&index.to_string(), &pack(tape));
    }
    let found = discover([folder.path()]);
    assert!(
        found.problems.is_empty() && found.notes.is_empty(),
        "{found:?}"
    );
    assert_eq!(found.sets[0].facts().unwrap().stripes, 2);
}

#[test]
fn a_container_of_unknown_layout_is_played_without_facts() {
    let folder = Folder::new();
    let mut bytes = pack(&Tape::default());
    bytes[8] = 9;
    let path = folder.put("unknown", &bytes);
    let found = discover([&path]);
    assert_eq!(found.notes, [Note::Compressed { path }]);
    let set = &found.sets[0];
    assert!(set.facts().is_none() && set.sets() == 0);
    let hub = Hub::new();
    let request = PlayRequest::new(names("u", 1));
    let engine = hub.clone();
    let (played, saved) = save(&hub, "u", 1, || set.play(&request, &engine));
    assert_eq!(played.unwrap().facts, None);
    assert!(saved.unwrap()[0].bytes == bytes);
}

#[test]
fn a_database_without_a_log_chain_is_a_simple_one() {
    let folder = Folder::new();
    for (name, chain, model) in [
        ("full", (20, 1, 1), RecoveryModel::Full),
        ("simple", (0, 0, 0), RecoveryModel::Simple),
    ] {
        let mut tape = Tape::default();
        tape.sets[0].chain = chain;
        let found = discover([folder.put(name, &tape.write())]);
        assert_eq!(found.sets[0].databases().unwrap()[0].recovery_model, model);
    }
}
