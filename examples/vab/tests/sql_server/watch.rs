//! What the server says about a backup is held against the streams themselves.

use vab_manager::BackupSet;
use vab_manager::chain::{BackupSetId, Lsn};
use vab_manager::engine::BackupRequest;

use crate::lab::{Lab, sales};
use crate::stand_in::StandIn;
use crate::stand_in::tape::{Set, Tape};

/// A stripe of the tape format for each device.
fn tapes(request: &BackupRequest) -> Vec<Vec<u8>> {
    let kind = match request.kind {
        vab_manager::BackupKind::Full => b'D',
        vab_manager::BackupKind::Differential => b'I',
        vab_manager::BackupKind::Log => b'L',
    };
    let count = u16::try_from(request.devices.len()).unwrap();
    let stripe = |number| {
        let tape = Tape {
            count,
            number,
            sets: vec![Set {
                kind,
                database: request.database.clone(),
                data: 300_000,
                ..Set::default()
            }],
            ..Tape::default()
        };
        tape.write()
    };
    (1..=count).map(stripe).collect()
}

/// Streams that begin as compressed ones do, and of which nothing else is known.
fn containers(request: &BackupRequest) -> Vec<Vec<u8>> {
    let container = [b"MSSQLBAK".as_slice(), &vec![0xa5; 100_000]].concat();
    vec![container; request.devices.len()]
}

/// The second half cannot be read.
fn torn(request: &BackupRequest) -> Vec<Vec<u8>> {
    let mut all = tapes(request);
    for stream in &mut all {
        let end = stream.len();
        stream[end - 2048..].fill(0xee);
    }
    all
}

fn lab(streams: fn(&BackupRequest) -> Vec<Vec<u8>>, lies: Option<fn(&mut BackupSet)>) -> Lab {
    Lab::new(|sql: &mut StandIn| {
        sales(sql);
        sql.streams = Some(streams);
        sql.lies = lies;
    })
}

#[test]
fn streams_that_say_what_the_server_says_are_a_restore_point() {
    for more in [
        &["-v"][..],
        &["-v", "--streams", "3"],
        &["-v", "--streams", "2", "--compression", "zstd"],
    ] {
        let lab = lab(tapes, None);
        let ran = lab.backup("full", more);
        assert!(
            ran.stderr.contains("the streams say what the engine says"),
            "{ran:?}"
        );
        ran.success();
        assert_eq!(lab.points().len(), 1);
    }
}

/// Reading comes before compression and encryption.
#[test]
fn an_encrypted_backup_is_read_before_it_is_encrypted() {
    let lab = lab(tapes, Some(|set| set.last_lsn = Lsn::new(99, 1, 1)));
    let arguments = lab.backup_arguments("full", &["--compression", "lz4"]);
    let output = lab
        .command(&arguments)
        .env("VAB_PASSPHRASE", "a long passphrase of a test")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("99000000000100001"), "{said}");
    assert!(lab.points().is_empty());
}

#[test]
fn a_backup_of_which_server_and_stream_differ_is_no_restore_point() {
    type Lie = (fn(&mut BackupSet), &'static [&'static str]);
    let lies: [Lie; 3] = [
        (
            |set| set.last_lsn = Lsn::new(99, 1, 1),
            &["last LSN", "99000000000100001", "20000000014400001"],
        ),
        (
            |set| set.checkpoint_lsn = Lsn::new(98, 1, 1),
            &["checkpoint LSN", "98000000000100001"],
        ),
        (
            |set| set.id = BackupSetId(uuid::Uuid::from_u128(5)),
            &[
                "backup set",
                "00000000-0000-0000-0000-000000000005",
                "00000000-0000-0000-0000-00000000000b",
            ],
        ),
    ];
    let mut cases = 0;
    for (lie, words) in lies {
        for (kind, streams) in [("full", "1"), ("full", "4")] {
            let lab = lab(tapes, Some(lie));
            let error = lab.backup(kind, &["--streams", streams]).failure(1);
            for word in words {
                assert!(error.contains(word), "{word} is missing in {error}");
            }
            assert!(error.contains("no restore point"), "{error}");
            assert!(lab.points().is_empty());
            cases += 1;
        }
    }
    println!("{cases} cases, 0 wrong");
}

/// A log that was backed up is gone from the server: what nobody can read is kept, and said.
#[test]
fn streams_that_cannot_be_read_are_kept_and_it_is_said_what_was_checked() {
    for (streams, words) in [
        (
            containers as fn(&BackupRequest) -> _,
            "cannot be held against what the engine says",
        ),
        (torn, "the rest was not checked"),
    ] {
        let lab = lab(streams, None);
        let ran = lab.backup("full", &["--streams", "2"]);
        assert!(ran.stderr.contains(words), "{ran:?}");
        ran.success();
        assert_eq!(lab.points().len(), 1);
    }
    // But what was read of them has to be right.
    let lab = lab(
        torn,
        Some(|set| set.id = BackupSetId(uuid::Uuid::from_u128(5))),
    );
    let error = lab.backup("full", &[]).failure(1);
    assert!(error.contains("backup set"), "{error}");
    assert!(lab.points().is_empty());
}
