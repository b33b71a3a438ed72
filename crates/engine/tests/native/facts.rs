//! The facts of every file are those of the manifest.

use std::fs::File;
use std::io::Cursor;

use vab_chain::{BackupKind, BackupSet, ForkId, Lsn};
use vab_engine::mtf::{self, Medium, NativeMedium, StreamingReader};

use crate::manifest::{Entry, entries};

fn native(entry: &Entry) -> NativeMedium {
    match mtf::read(&mut File::open(&entry.path).unwrap()) {
        Ok(Medium::Native(medium)) => medium,
        other => panic!("{}: {other:?}", entry.path.display()),
    }
}

fn native_entries() -> impl Iterator<Item = Entry> {
    entries().into_iter().filter(|entry| !entry.is_compressed())
}

fn set_of(entry: &Entry) -> BackupSet {
    let medium = native(entry);
    let [set] = medium.sets.as_slice() else {
        panic!("{}: {} sets", entry.path.display(), medium.sets.len());
    };
    set.backup_set(medium.family.count).unwrap()
}

#[test]
fn kinds_names_and_lsns() {
    for entry in native_entries() {
        let set = set_of(&entry);
        let path = entry.path.display();
        let equal = |column: &str, found: String| {
            assert_eq!(found, entry.column(column), "{path}: {column}");
        };
        equal("kind", set.kind.to_string());
        equal("database", set.database.clone());
        equal("server", set.server.clone());
        equal("first_lsn", set.first_lsn.to_string());
        equal("last_lsn", set.last_lsn.to_string());
        equal("checkpoint_lsn", set.checkpoint_lsn.to_string());
        equal("database_backup_lsn", set.database_backup_lsn.to_string());
        equal("start", set.started.to_string().replace('T', " "));
        equal("finish", set.finished.to_string().replace('T', " "));
        equal("backup_set_uuid", set.id.to_string());
        equal(
            "differential_base_guid",
            set.differential_base
                .and_then(|base| base.id)
                .map(|id| id.to_string())
                .unwrap_or_default(),
        );
        let forks =
            [set.first_fork, set.last_fork].map(|fork| fork.map(|fork: ForkId| fork.to_string()));
        equal("recovery_fork_guid", forks[1].clone().unwrap_or_default());
        assert_eq!(forks[0], forks[1], "{path}: no log here spans a fork");
    }
}

#[test]
fn lengths_and_stripe_counts() {
    for entry in native_entries() {
        let medium = native(&entry);
        let path = entry.path.display();
        assert_eq!(medium.length.to_string(), entry.column("bytes"), "{path}");
        assert_eq!(medium.trailing, 0, "{path}");
        let (_, count) = entry.column("stripe").split_once('/').unwrap();
        assert_eq!(medium.family.count.to_string(), count, "{path}");
    }
}

/// The manifest calls both stripes the first; the folders and the tape's own record do not.
#[test]
fn stripe_numbers() {
    for entry in native_entries() {
        let second = entry
            .path
            .components()
            .any(|part| part.as_os_str() == "Stripe2");
        let expected = if second { 2 } else { 1 };
        assert_eq!(
            native(&entry).family.number,
            expected,
            "{}",
            entry.path.display()
        );
    }
}

#[test]
fn block_sizes() {
    for entry in native_entries() {
        let expected = if entry.path.ends_with("pubs.bak") {
            4096
        } else {
            512
        };
        assert_eq!(
            native(&entry).block_size,
            expected,
            "{}",
            entry.path.display()
        );
    }
}

#[test]
fn the_media_password_is_seen() {
    for entry in native_entries() {
        let expected = entry.path.ends_with("passwd.bak");
        assert_eq!(
            native(&entry).tape.password_protected,
            expected,
            "{}",
            entry.path.display()
        );
    }
}

#[test]
fn checksums_are_seen_in_flags_and_streams() {
    let mut checked = 0;
    for entry in native_entries() {
        let medium = native(&entry);
        let set = medium.sets.first().unwrap();
        let in_flags = set.first.flags & 0x10 != 0;
        // An empty log has no stream that could be under a checksum.
        if set.data_bytes + set.log_bytes > 0 {
            assert_eq!(set.stream_checksums, in_flags, "{}", entry.path.display());
        }
        assert_eq!(set.backup_set(1).unwrap().flags.checksums, in_flags);
        checked += usize::from(in_flags);
    }
    assert!(checked > 0 || entries().is_empty());
}

#[test]
fn only_logs_after_no_other_log_begin_a_chain() {
    for entry in native_entries() {
        let set = set_of(&entry);
        let first_log = [
            "test_LOG_20160629_141400.trn",
            "RestoreTimeClean_1.trn",
            "RestoreTimeStripe_1.trn",
            "RestoreTimeStripe_1a.trn",
            "SQL2008_Cube_Query_History_LOG_20170518_041831.trn",
            "SQL2008_dbOrphanUsers_LOG_20170518_041831.trn",
        ];
        let expected = first_log.iter().any(|name| entry.path.ends_with(name));
        assert_eq!(
            set.flags.begins_log_chain,
            expected,
            "{}",
            entry.path.display()
        );
    }
}

#[test]
fn only_databases_under_simple_have_no_log_chain() {
    for entry in native_entries() {
        let database = entry.column("database");
        let simple = ["SimpleBackTest", "pubs", "testlastbackup"].contains(&database);
        let medium = native(&entry);
        let began = medium.sets[0].first.log_chain_began;
        assert_eq!(began.is_none(), simple, "{}", entry.path.display());
    }
}

#[test]
fn the_files_of_the_database() {
    for entry in native_entries().filter(|entry| entry.path.ends_with("pubs.bak")) {
        let medium = native(&entry);
        let files = &medium.sets[0].first.files;
        let names: Vec<&str> = files
            .iter()
            .map(|file| file.logical_name.as_str())
            .collect();
        assert_eq!(names, ["pubs", "pubs_log"]);
        assert!(
            files[0].physical_name.ends_with(r"\DATA\pubs.mdf"),
            "{:?}",
            files[0]
        );
        assert_eq!(
            files
                .iter()
                .map(|file| (file.id, file.group))
                .collect::<Vec<_>>(),
            [(1, 1), (2, 0)]
        );
        assert_eq!(files[0].size, 0x0041_0000);
    }
}

#[test]
fn every_database_has_a_data_file_and_a_log() {
    for entry in native_entries() {
        for record in native(&entry)
            .sets
            .iter()
            .flat_map(|set| [Some(&set.first), set.last.as_ref()])
        {
            let files = &record.unwrap().files;
            assert!(
                files.iter().any(|file| file.group == 0),
                "{}: {files:?}",
                entry.path.display()
            );
            assert!(
                files.iter().any(|file| file.group == 1),
                "{}: {files:?}",
                entry.path.display()
            );
            for file in files {
                assert!(
                    !file.logical_name.is_empty() && file.physical_name.contains('\\'),
                    "{file:?}"
                );
            }
        }
    }
}

/// How much longer a file of 512-byte blocks is than the size in its last record: the blocks
/// around the set, written by different builds.
const AROUND: [u64; 2] = [0x1e00, 0x2200];

#[test]
fn the_size_in_the_last_record_is_that_of_the_set() {
    for entry in native_entries() {
        let medium = native(&entry);
        if medium.block_size == 512 && medium.family.count == 1 {
            let size = medium.sets[0].last.as_ref().unwrap().size;
            assert!(
                AROUND.contains(&(medium.length - size)),
                "{}",
                entry.path.display()
            );
        }
    }
}

#[test]
fn the_compressed_container_is_read_as_what_it_holds() {
    for entry in entries().into_iter().filter(Entry::is_compressed) {
        let medium = mtf::read(&mut File::open(&entry.path).unwrap()).unwrap();
        assert!(matches!(medium, Medium::Compressed(_)));
        assert_eq!(medium.length().to_string(), entry.column("bytes"));
        let inside = medium.native().unwrap();
        assert_eq!((inside.family.count, inside.family.number), (1, 1));
        assert_eq!(inside.trailing, 0);
        let [set] = inside.sets.as_slice() else {
            panic!("{inside:?}");
        };
        let last = set.last.as_ref().unwrap();
        assert_eq!(set.backup_set(1).unwrap().kind, BackupKind::Full);
        assert_eq!(last.database, "TutorialDB");
        assert_eq!(last.server, "NELLIELAPTOP");
        assert_eq!(last.database_version, 852);
        assert_eq!(last.files[0].logical_name, "TutorialDB");
        assert_eq!(last.last_lsn, Lsn::new(34, 559, 1));
        assert_eq!(last.finished.unwrap().to_string(), "2016-11-09T15:27:49");
        assert!(AROUND.contains(&(inside.length - last.size)));
    }
}

#[test]
fn pieces_of_any_size_give_the_same() {
    for entry in entries() {
        let bytes = entry.bytes();
        let whole = mtf::read(&mut Cursor::new(&bytes)).unwrap();
        for size in [1, 7, 511, 65_536] {
            let mut reader = StreamingReader::new();
            for piece in bytes.chunks(size) {
                reader.push(piece).unwrap();
            }
            assert_eq!(
                reader.finish().unwrap(),
                whole,
                "{} by {size}",
                entry.path.display()
            );
        }
    }
}
