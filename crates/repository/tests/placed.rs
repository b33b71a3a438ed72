//! Blocks that have their places and are written later.

#![expect(clippy::unwrap_used, reason = "a test that fails is to end at once")]

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::{Backup, assert_restores, at, request};
use vab_chain::BackupKind;
use vab_chain::BackupKind::{Full, Log};
use vab_format::record::RecordBuffer;
use vab_repository::{
    AppendSession, BlockWrite, Repository, RepositoryOptions, StoredPoint, WriteError,
};

/// Lengths that are written past the cache where that is possible, and others, in two streams.
const LENGTHS: [&[usize]; 2] = [
    &[1 << 20, 3968, (1 << 20) - 128, 1 << 17, 1, (1 << 17) - 128],
    &[200_000, 1 << 20],
];

fn open(root: &tempfile::TempDir) -> Repository {
    Repository::open(root.path(), RepositoryOptions::default(), at(0)).unwrap()
}

fn open_direct(root: &tempfile::TempDir) -> Repository {
    let mut options = RepositoryOptions::default();
    options.direct_io = true;
    Repository::open(root.path(), options, at(0)).unwrap()
}

fn place<'s>(
    backup: &Backup,
    session: &'s AppendSession,
    stream: u16,
    sequence: u64,
) -> BlockWrite<'s, RecordBuffer> {
    let (header, bytes) = backup.block(session, stream, sequence);
    session.place(&header, RecordBuffer::of(&bytes)).unwrap()
}

#[test]
fn they_are_written_in_any_order() {
    // What one way writes the other one reads, and goes on behind it.
    for [one, other] in [[open, open_direct], [open_direct, open]] {
        let root = tempfile::tempdir().unwrap();
        let backups = [Backup::new(1, &LENGTHS), Backup::new(2, &LENGTHS)];
        let first = run(&backups[0], &one(&root), Full);
        let second = run(&backups[1], &other(&root), Log);
        assert_eq!(first.file, second.file);
        for repository in [one, other] {
            let repository = repository(&root);
            assert_restores(&repository, &first, &backups[0]);
            assert_restores(&repository, &second, &backups[1]);
        }
    }
}

/// A backup whose blocks are written in another order than that of their places.
fn run(backup: &Backup, repository: &Repository, kind: BackupKind) -> StoredPoint {
    let request = request("Sales", kind, 2, 0);
    let session = repository.begin(request.clone()).unwrap();
    let mut placed = Vec::new();
    for (stream, lengths) in (0..).zip(LENGTHS) {
        for sequence in 0..lengths.len() as u64 {
            placed.push(place(backup, &session, stream, sequence));
        }
    }
    // Every third one from the end on, until all are written.
    while !placed.is_empty() {
        let last = placed.len() - 1;
        placed.swap_remove(last / 3).write().unwrap();
    }
    drop(placed);
    backup.commit(session, &request).unwrap()
}

#[test]
fn a_session_that_leaves_one_out_is_over() {
    let root = tempfile::tempdir().unwrap();
    let repository = open(&root);
    let backup = Backup::new(1, &LENGTHS);
    let request = request("Sales", Full, 2, 0);
    let session = repository.begin(request.clone()).unwrap();
    let left_out = place(&backup, &session, 0, 0);
    place(&backup, &session, 0, 1).write().unwrap();
    drop(left_out);
    let error = session.sync().unwrap_err();
    assert!(matches!(error, WriteError::Failed { .. }), "{error}");
    assert!(backup.commit(session, &request).is_err());
    assert_eq!(repository.points(None, None), []);
}

#[test]
fn a_sync_waits_until_they_are_written() {
    for kept in [false, true] {
        let root = tempfile::tempdir().unwrap();
        let repository = open(&root);
        let backup = Backup::new(1, &LENGTHS);
        let session = repository.begin(request("Sales", Full, 2, 0)).unwrap();
        if kept {
            session.keep_key([7; 16]).unwrap();
        }
        let first = place(&backup, &session, 0, 0);
        let written = AtomicBool::new(false);
        thread::scope(|scope| {
            let syncing = scope.spawn(|| {
                session.sync().unwrap();
                assert!(written.load(Ordering::SeqCst), "synced too early");
            });
            place(&backup, &session, 0, 1).write().unwrap();
            (0..1000).for_each(|_| thread::yield_now());
            written.store(true, Ordering::SeqCst);
            first.write().unwrap();
            syncing.join().unwrap();
        });
    }
}
