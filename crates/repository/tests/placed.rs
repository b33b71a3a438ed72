//! Blocks that have their places and are written later.

#![expect(clippy::unwrap_used, reason = "a test that fails is to end at once")]

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::{Backup, assert_restores, at, request};
use vab_chain::BackupKind::Full;
use vab_format::record::RecordBuffer;
use vab_repository::{AppendSession, BlockWrite, Repository, RepositoryOptions, WriteError};

/// Lengths that are written past the cache where that is possible, and others, in two streams.
const LENGTHS: [&[usize]; 2] = [
    &[1 << 20, 3968, (1 << 20) - 128, 1 << 17, 1, (1 << 17) - 128],
    &[200_000, 1 << 20],
];

fn open(root: &tempfile::TempDir) -> Repository {
    Repository::open(root.path(), RepositoryOptions::default(), at(0)).unwrap()
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
    let root = tempfile::tempdir().unwrap();
    let repository = open(&root);
    let backup = Backup::new(1, &LENGTHS);
    let request = request("Sales", Full, 2, 0);
    let session = repository.begin(request.clone()).unwrap();
    let mut placed: Vec<_> = (0..6)
        .map(|block| place(&backup, &session, 0, block))
        .collect();
    placed.extend((0..2).map(|block| place(&backup, &session, 1, block)));
    // Every third one from the end on, until all are written.
    while !placed.is_empty() {
        let last = placed.len() - 1;
        placed.swap_remove(last / 3).write().unwrap();
    }
    drop(placed);
    let point = backup.commit(session, &request).unwrap();
    assert_restores(&repository, &point, &backup);
    drop(repository);
    assert_restores(&open(&root), &point, &backup);
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
