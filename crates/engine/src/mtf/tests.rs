//! The reader against media that were written for it.

use proptest::prelude::*;
use uuid::Uuid;
use vab_chain::{BackupKind, BackupSet, BackupSetId, ForkId, Lsn};

use super::testing::{Parts, Set, Tape, pack};
use super::*;

fn native(tape: &Tape) -> NativeMedium {
    match read_bytes(&tape.write()) {
        Ok(Medium::Native(medium)) => medium,
        other => panic!("{other:?}"),
    }
}

fn facts(set: Set) -> BackupSet {
    let medium = native(&Tape {
        sets: vec![set],
        ..Tape::default()
    });
    medium.sets[0].backup_set(medium.family.count).unwrap()
}

fn lsn((vlf, block, slot): Parts) -> Lsn {
    Lsn::new(vlf, block, slot)
}

#[test]
fn a_full() {
    let set = facts(Set::default());
    assert_eq!(set.kind, BackupKind::Full);
    assert_eq!(set.id, BackupSetId(Uuid::from_u128(0xb)));
    assert_eq!(
        (set.database.as_str(), set.server.as_str()),
        ("Sales ☃", r"HOST\INSTANCE")
    );
    assert_eq!(
        (set.first_lsn, set.last_lsn),
        (Lsn::new(20, 74, 170), Lsn::new(20, 144, 1))
    );
    assert_eq!(set.started.to_string(), "2024-02-29T23:58:07");
    assert_eq!(set.finished.to_string(), "2024-02-29T23:58:08");
    assert!(!set.copy_only && !set.flags.begins_log_chain && !set.flags.checksums);
    assert_eq!(set.differential_base, None);
}

#[test]
fn a_differential_has_its_base() {
    let base = Uuid::from_u128(0x77);
    let set = facts(Set {
        kind: b'I',
        attributes: 0x8,
        base: Some(((20, 74, 170), base)),
        ..Set::default()
    });
    let found = set.differential_base.unwrap();
    assert_eq!(found.id, Some(BackupSetId(base)));
    assert_eq!(found.lsn, Lsn::new(20, 74, 170));
}

#[test]
fn a_log_after_another_one_does_not_begin_the_chain() {
    let log = Set {
        kind: b'L',
        ..Set::default()
    };
    assert!(facts(log.clone()).flags.begins_log_chain);
    let next = Set {
        last_log: (20, 74, 170),
        ..log
    };
    assert!(!facts(next).flags.begins_log_chain);
}

#[test]
fn only_a_log_that_spans_the_fork_point_has_two_forks() {
    let (old, new) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let log = |point: Parts, kind: u8| {
        let set = facts(Set {
            kind,
            fork: new,
            previous_fork: Some((point, old)),
            first: (20, 10, 1),
            last: (20, 20, 1),
            ..Set::default()
        });
        (set.first_fork, set.last_fork, set.fork_point)
    };
    let (old, new) = (Some(ForkId(old)), Some(ForkId(new)));
    assert_eq!(
        log((20, 15, 1), b'L'),
        (old, new, Some(Lsn::new(20, 15, 1)))
    );
    assert_eq!(log((20, 10, 1), b'L'), (new, new, None));
    assert_eq!(log((20, 20, 2), b'L'), (new, new, None));
    assert_eq!(log((20, 15, 1), b'D'), (new, new, None));
}

#[test]
fn flags() {
    let set = facts(Set {
        flags: 0x1 | 0x10 | 0x20 | 0x40 | 0x80 | 0x200,
        attributes: 0x2 | 0x4,
        ..Set::default()
    });
    assert!(set.copy_only);
    let flags = set.flags;
    assert!(flags.bulk_logged && flags.checksums && flags.damaged);
    assert!(flags.tail && flags.incomplete_metadata);
}

#[test]
fn streams_under_a_checksum_are_seen() {
    let tape = Tape {
        sets: vec![Set {
            checksums: true,
            ..Set::default()
        }],
        ..Tape::default()
    };
    let medium = native(&tape);
    assert!(medium.sets[0].stream_checksums);
    assert_eq!(medium.sets[0].data_bytes, 8192);
}

#[test]
fn a_stripe_a_password_and_files() {
    let medium = native(&Tape {
        count: 3,
        number: 2,
        password: true,
        ..Tape::default()
    });
    assert_eq!((medium.family.count, medium.family.number), (3, 2));
    assert!(medium.tape.password_protected);
    assert_eq!(medium.tape.software, "writer of tests");
    let [file] = medium.sets[0].first.files.as_slice() else {
        panic!("{medium:?}");
    };
    assert_eq!((file.id, file.group, file.size), (1, 1, 0x0041_0000));
    assert_eq!(file.physical_name, r"D:\data.mdf");
}

#[test]
fn physical_blocks_of_all_sizes() {
    for block in [512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536] {
        let medium = native(&Tape {
            block,
            ..Tape::default()
        });
        assert_eq!(usize::try_from(medium.block_size).unwrap(), block);
    }
}

#[test]
fn single_file_backups_are_named() {
    for (kind, name) in [(b'F', "single files"), (b'P', "partial"), (b'?', "`?`")] {
        let medium = native(&Tape {
            sets: vec![Set {
                kind,
                ..Set::default()
            }],
            ..Tape::default()
        });
        let error = medium.sets[0].backup_set(1).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn several_sets_of_one_medium() {
    let second = Set {
        id: Uuid::from_u128(0xc),
        kind: b'L',
        data: 0,
        ..Set::default()
    };
    let medium = native(&Tape {
        sets: vec![Set::default(), second],
        ..Tape::default()
    });
    let kinds: Vec<u8> = medium.sets.iter().map(|set| set.first.kind).collect();
    assert_eq!(kinds, *b"DL");
    assert!(medium.sets[1].offset > medium.sets[0].offset);
}

#[test]
fn other_files_are_no_backups() {
    for bytes in [
        &b""[..],
        b"\0",
        b"PK\x03\x04\x05\x06\x07\x08\x09",
        b"tape",
        b"TAP?",
    ] {
        let error = read_bytes(bytes).unwrap_err();
        assert!(matches!(error, MtfError::NotABackup { .. }), "{error}");
    }
}

#[test]
fn the_beginning_of_a_backup_is_cut_short() {
    for bytes in [&b"T"[..], b"TAPE", b"MSSQLB"] {
        let error = read_bytes(bytes).unwrap_err();
        assert!(matches!(error, MtfError::Truncated { .. }), "{error}");
    }
}

#[test]
fn a_message_says_where_and_what() {
    let bytes = Tape::default().write();
    let error = read_bytes(&bytes[..600]).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("cut short: at offset "), "{text}");
    assert!(text.contains("`SPAD` of the block `TAPE`"), "{text}");
}

#[test]
fn a_length_beyond_the_limit_is_refused_before_it_is_kept() {
    let mut bytes = Tape::default().write();
    let at = bytes
        .windows(4)
        .position(|window| window == b"MQCI")
        .unwrap();
    bytes[at + 8..at + 16].copy_from_slice(&(1_u64 << 40).to_le_bytes());
    let sum = bytes[at..at + 20]
        .chunks(2)
        .fold([0; 2], |sum, pair| [sum[0] ^ pair[0], sum[1] ^ pair[1]]);
    bytes[at + 20..at + 22].copy_from_slice(&sum);
    let error = read_bytes(&bytes).unwrap_err();
    assert!(
        matches!(error, MtfError::TooLong { length, .. } if length == 1 << 40),
        "{error}"
    );
}

#[test]
fn a_reader_stays_at_its_error() {
    let mut reader = StreamingReader::new();
    let first = reader.push(b"garbage!").unwrap_err();
    assert_eq!(reader.push(&Tape::default().write()).unwrap_err(), first);
    assert_eq!(reader.finish().unwrap_err(), first);
}

#[test]
fn facts_are_known_before_the_end() {
    let bytes = Tape::default().write();
    let mut reader = StreamingReader::new();
    reader.push(&bytes[..8192]).unwrap();
    let set = reader.sets().first().unwrap();
    assert_eq!(set.first.database, "Sales ☃");
    assert!(set.last.is_none());
}

fn parts() -> impl Strategy<Value = Parts> {
    (any::<u32>(), any::<u32>(), any::<u16>())
}

prop_compose! {
    fn any_set()(
        id in 1_u128.., first in parts(), last in parts(), last_log in parts(),
        database in "[^\0]{0,128}", file in "[a-zA-Z0-9]{1,100}", flags in any::<u32>(),
        kind in prop::sample::select(b"DIL".to_vec()), checksums in any::<bool>(),
        data in 0_usize..40_000, second in 0_u8..59, fork in 1_u128..,
    ) -> Set {
        Set {
            id: Uuid::from_u128(id), first, last, last_log, database, file, flags, kind, checksums,
            data, second, fork: Uuid::from_u128(fork), ..Set::default()
        }
    }
}

prop_compose! {
    fn any_tape()(
        sets in prop::collection::vec(any_set(), 1..4),
        (count, number) in (1_u16..=64).prop_flat_map(|count| (Just(count), 1..=count)),
        block in (9_u32..=16).prop_map(|power| 1_usize << power),
        media_set in 1_u128.., password in any::<bool>(),
    ) -> Tape {
        Tape { media_set: Uuid::from_u128(media_set), count, number, block, password, sets }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_was_written_is_read(tape in any_tape()) {
        let medium = native(&tape);
        prop_assert_eq!(medium.sets.len(), tape.sets.len());
        prop_assert_eq!(medium.family.number, tape.number);
        for (read, written) in medium.sets.iter().zip(&tape.sets) {
            let set = read.backup_set(tape.count).unwrap();
            prop_assert_eq!(set.id.0, written.id);
            prop_assert_eq!(&set.database, &written.database);
            prop_assert_eq!(set.first_lsn, lsn(written.first));
            prop_assert_eq!(set.last_lsn, lsn(written.last));
            prop_assert_eq!(read.first.last_log_backup_lsn, lsn(written.last_log));
            prop_assert_eq!(set.last_fork, Some(ForkId(written.fork)));
            prop_assert_eq!(read.data_bytes, u64::try_from(written.data).unwrap());
        }
    }

    #[test]
    fn a_compressed_medium_says_the_same(tape in any_tape()) {
        let plain = native(&tape);
        let packed = pack(&tape);
        let Ok(Medium::Compressed(container)) = read_bytes(&packed) else {
            panic!("{:?}", read_bytes(&packed));
        };
        prop_assert_eq!(container.length, u64::try_from(packed.len()).unwrap());
        prop_assert_eq!(container.inside, Some(plain));
        prop_assert_eq!(read_file(&packed), read_bytes(&packed));
    }

    #[test]
    fn a_cut_compressed_medium_is_an_error(tape in any_tape(), at in any::<prop::sample::Index>()) {
        let packed = pack(&tape);
        let at = at.index(packed.len());
        match read_bytes(&packed[..at]) {
            Err(error) => {
                let cut_short = matches!(error, MtfError::Truncated { .. });
                prop_assert!(cut_short || at == 0, "{}", error);
            }
            // A cut between two sets leaves a medium that is whole.
            Ok(medium) => {
                let sets = medium.native().map_or(0, |medium| medium.sets.len());
                prop_assert!((1..tape.sets.len()).contains(&sets), "{:?}", medium);
            }
        }
    }

    #[test]
    fn damage_of_a_compressed_medium_never_panics(
        tape in any_tape(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
    ) {
        let mut packed = pack(&tape);
        for (at, value) in damage {
            let at = at.index(packed.len().min(8192));
            packed[at] = value;
        }
        prop_assert_eq!(read_bytes(&packed), read_file(&packed));
    }

    #[test]
    fn pieces_do_not_matter(tape in any_tape(), cuts in prop::collection::vec(1_usize..5000, 1..50)) {
        let bytes = tape.write();
        let mut reader = StreamingReader::new();
        let mut rest = bytes.as_slice();
        for cut in cuts.iter().cycle() {
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            reader.push(now).unwrap();
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(reader.finish(), read_bytes(&bytes));
    }

    #[test]
    fn a_cut_is_an_error(tape in any_tape(), at in any::<prop::sample::Index>()) {
        let bytes = tape.write();
        let at = at.index(bytes.len());
        let cut = read_bytes(&bytes[..at]);
        // A cut between two sets leaves a medium that is whole.
        let whole = matches!(&cut, Ok(Medium::Native(medium)) if medium.sets.len() < tape.sets.len());
        prop_assert!(cut.is_err() || whole, "{:?}", cut);
    }

    #[test]
    fn damage_never_panics(
        tape in any_tape(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
    ) {
        let mut bytes = tape.write();
        for (at, value) in damage {
            let at = at.index(bytes.len().min(8192));
            bytes[at] = value;
        }
        let read = read_bytes(&bytes);
        let sought = read_file(&bytes);
        prop_assert_eq!(read, sought);
    }
}

fn read_file(bytes: &[u8]) -> Result<Medium, MtfError> {
    match read(&mut std::io::Cursor::new(bytes)) {
        Ok(medium) => Ok(medium),
        Err(ReadError::Format(error)) => Err(error),
        Err(error) => panic!("{error}"),
    }
}
