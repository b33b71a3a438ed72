//! Sessions that go on after the server was killed.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test that fails is to end at once"
)]

mod common;
mod disk;

use common::{Backup, assert_restores, at, payload, request};
use disk::workload::storage;
use disk::{Image, MemoryDisk};
use vab_chain::BackupKind::{Full, Log};
use vab_chain::PointId;
use vab_format::block::BlockHeader;
use vab_repository::{
    AppendSession, Placement, Repository, RepositoryOptions, SessionRequest, TakeUpError,
};

const KEY: [u8; 16] = [7; 16];

fn open(disk: &MemoryDisk, hours: i64) -> Repository {
    open_noting(disk, hours, RepositoryOptions::default().note_interval)
}

/// A server that writes notes anew when a session has come on by so many bytes.
fn open_noting(disk: &MemoryDisk, hours: i64, interval: u64) -> Repository {
    let mut options = RepositoryOptions::default();
    options.note_interval = interval;
    Repository::open_on(storage(disk), options, at(hours)).unwrap()
}

/// What a killed process does: nothing any more.
fn kill(repository: Repository, sessions: impl IntoIterator<Item = AppendSession>) {
    for session in sessions {
        std::mem::forget(session);
    }
    std::mem::forget(repository);
}

/// A repository with one full, and a disk to kill servers on.
fn with_a_full() -> (MemoryDisk, Backup) {
    let disk = MemoryDisk::of(Image::default(), false);
    let full = Backup::new(1, &[&[5000, 300]]);
    full.run(&open(&disk, 0), request("Sales", Full, 1, 0));
    (disk, full)
}

/// Begins, writes the first block of each stream, syncs, writes the second, is killed. What was
/// not synced is there all the same: the machine goes on.
fn interrupted(disk: &MemoryDisk, backup: &Backup, request: &SessionRequest) -> PointId {
    interrupted_noting(
        disk,
        backup,
        request,
        RepositoryOptions::default().note_interval,
    )
}

fn interrupted_noting(
    disk: &MemoryDisk,
    backup: &Backup,
    request: &SessionRequest,
    interval: u64,
) -> PointId {
    let server = open_noting(disk, 1, interval);
    let session = server.begin(request.clone()).unwrap();
    session.keep_key(KEY).unwrap();
    let streams = backup.streams.len() as u16;
    (0..streams).for_each(|stream| backup.write(&session, stream, 0).unwrap());
    session.sync().unwrap();
    (0..streams).for_each(|stream| backup.write(&session, stream, 1).unwrap());
    let id = session.id();
    kill(server, [session]);
    id
}

fn log() -> Backup {
    Backup::new(2, &[&[700, 5000, 1], &[4000, 10, 9000]])
}

#[test]
fn an_appended_session_goes_on_behind_what_is_whole() {
    let (disk, full) = with_a_full();
    let log = log();
    let request = request("Sales", Log, 2, 1);
    let id = interrupted(&disk, &log, &request);
    let server = open(&disk, 2);
    assert_eq!(server.interrupted()[0].session, id);
    assert_eq!(server.interrupted()[0].request, request);
    let session = server.take_up(id, KEY).unwrap();
    assert!(matches!(session.placement(), Placement::Append { .. }));
    let whole: Vec<_> = session.ends().iter().map(|end| end.blocks).collect();
    assert_eq!(whole, [2, 2]);
    log.write_rest(&session).unwrap();
    let point = log.commit(session, &request).unwrap();
    assert_eq!(point.id, id);
    drop(server);
    let server = open(&disk, 3);
    assert_eq!(server.notices(), []);
    let points = server.points(None, None);
    assert_eq!(points.len(), 2);
    assert_restores(&server, &points[0], &full);
    assert_restores(&server, &points[1], &log);
}

#[test]
fn a_session_in_a_new_file_goes_on_and_keeps_its_folder() {
    let disk = MemoryDisk::of(Image::default(), false);
    let full = log();
    let request = request("Sales", Full, 2, 1);
    let id = interrupted(&disk, &full, &request);
    let server = open(&disk, 2);
    assert_eq!(server.points(None, None), []);
    let session = server.take_up(id, KEY).unwrap();
    full.write_rest(&session).unwrap();
    full.commit(session, &request).unwrap();
    assert_restores(&server, &server.points(None, None)[0], &full);
    assert_eq!(server.jobs()[0].name, common::JOB);
    drop(server);
    assert_eq!(open(&disk, 3).points(None, None).len(), 1);
}

#[test]
fn a_session_is_taken_up_any_number_of_times() {
    let (disk, _) = with_a_full();
    let log = log();
    let request = request("Sales", Log, 2, 1);
    let id = interrupted(&disk, &log, &request);
    for blocks in 2..4 {
        let server = open(&disk, 2);
        let session = server.take_up(id, KEY).unwrap();
        assert_eq!(session.ends()[0].blocks, blocks);
        if blocks < 3 {
            // The other stream first, so that the records lie in another order than before.
            log.write(&session, 1, blocks).unwrap();
            log.write(&session, 0, blocks).unwrap();
            session.sync().unwrap();
            kill(server, [session]);
        } else {
            log.write_rest(&session).unwrap();
            let point = log.commit(session, &request).unwrap();
            assert_restores(&server, &point, &log);
        }
    }
}

#[test]
fn a_long_session_is_taken_up_over_its_index_segments() {
    let disk = MemoryDisk::of(Image::default(), false);
    let request = request("Sales", Full, 1, 1);
    let long = Backup::new(3, &[&vec![1; 4200]]);
    let server = open(&disk, 1);
    let session = server.begin(request.clone()).unwrap();
    session.keep_key(KEY).unwrap();
    for sequence in 0..4150 {
        // Written here, so that the offsets need not be added up each time.
        let bytes = payload(3, 0, sequence, 1);
        let PointId(id) = session.id();
        let header = BlockHeader::for_raw(id, 0, sequence, sequence, &bytes);
        session.write(&header, &bytes).unwrap();
    }
    session.sync().unwrap();
    let id = session.id();
    kill(server, [session]);
    let server = open(&disk, 2);
    let session = server.take_up(id, KEY).unwrap();
    assert_eq!(session.ends()[0].blocks, 4150);
    long.write_rest(&session).unwrap();
    let point = long.commit(session, &request).unwrap();
    assert_restores(&server, &point, &long);
}

#[test]
fn another_key_and_another_session_get_nothing() {
    let (disk, _) = with_a_full();
    let log = log();
    let id = interrupted(&disk, &log, &request("Sales", Log, 2, 1));
    let server = open(&disk, 2);
    for (session, key) in [(id, [8; 16]), (PointId(uuid::Uuid::from_u128(9)), KEY)] {
        let refused = server.take_up(session, key);
        assert!(matches!(refused, Err(TakeUpError::Unknown { .. })));
    }
    assert!(server.take_up(id, KEY).is_ok(), "it was not touched");
}

#[test]
fn a_new_backup_of_the_database_ends_it() {
    let (disk, full) = with_a_full();
    let log = log();
    let first = request("Sales", Log, 2, 1);
    let id = interrupted(&disk, &log, &first);
    let server = open(&disk, 2);
    let other = Backup::new(4, &[&[10]]).run(&server, request("Other", Full, 1, 2));
    assert_eq!(server.interrupted().len(), 1, "another database");
    let next = Backup::new(5, &[&[20, 8000]]);
    let point = next.run(&server, request("Sales", Log, 1, 2));
    assert_eq!(server.interrupted(), []);
    assert!(matches!(
        server.take_up(id, KEY),
        Err(TakeUpError::Unknown { .. })
    ));
    drop(server);
    let server = open(&disk, 3);
    assert_eq!(server.notices(), []);
    let points = server.points(None, None);
    assert_eq!(points.len(), 3);
    assert_restores(&server, &points[0], &full);
    assert_restores(&server, &point, &next);
    assert_eq!(point.file, points[0].file);
    assert!(points.iter().any(|point| point.id == other.id));
}

#[test]
fn it_is_given_up_when_its_time_has_passed() {
    for kind in [Full, Log] {
        let (disk, _) = with_a_full();
        let id = interrupted(&disk, &log(), &request("Sales", kind, 2, 1));
        let server = open(&disk, 2);
        let before = disk.image();
        server.renew_lease(at(3)).unwrap();
        assert_eq!(server.interrupted().len(), 1, "an hour is not over");
        server.renew_lease(at(4)).unwrap();
        assert_eq!(server.interrupted(), []);
        assert!(server.take_up(id, KEY).is_err());
        let bytes = |image: &Image| {
            let contents = image.names.values().map(|inode| image.files[inode].len());
            contents.sum::<usize>()
        };
        assert!(bytes(&disk.image()) < bytes(&before), "{kind:?}");
        drop(server);
        assert_eq!(open(&disk, 5).notices(), []);
    }
}

#[test]
fn without_a_key_nothing_is_kept() {
    let (disk, _) = with_a_full();
    let server = open(&disk, 1);
    let session = server.begin(request("Sales", Log, 2, 1)).unwrap();
    log().write(&session, 0, 0).unwrap();
    session.sync().unwrap();
    kill(server, [session]);
    let server = open(&disk, 2);
    assert_eq!(server.interrupted(), []);
    assert_eq!(server.notices().len(), 1, "{:?}", server.notices());
}

#[test]
fn a_session_that_ended_leaves_no_note() {
    let (disk, _) = with_a_full();
    let server = open(&disk, 1);
    for commits in [true, false] {
        for kind in [Log, Full] {
            let request = request("Sales", kind, 2, 1);
            let session = server.begin(request.clone()).unwrap();
            session.keep_key(KEY).unwrap();
            log().write_all(&session).unwrap();
            session.sync().unwrap();
            if commits {
                log().commit(session, &request).unwrap();
            } else {
                session.abort();
            }
            let image = disk.image();
            let mut names = image.names.keys();
            assert!(!names.any(|path| path.file().as_str().contains("VABNOTE")));
        }
    }
}

#[test]
fn damage_in_what_was_noted_ends_it() {
    let (disk, full) = with_a_full();
    let id = interrupted_noting(&disk, &log(), &request("Sales", Log, 2, 1), 0);
    let mut image = disk.image();
    let data = image
        .names
        .keys()
        .find(|path| path.file().split_extension().1 == "VAB")
        .unwrap()
        .clone();
    // The frame of the second block of the session.
    let end = open(&MemoryDisk::of(image.clone(), false), 2).points(None, None);
    assert_eq!(end.len(), 1);
    let content = image.content_mut(&data).unwrap();
    let first = content
        .chunks(4096)
        .rposition(|page| page.starts_with(b"VCMT"))
        .unwrap();
    content[(first + 2) * 4096 + 20] ^= 1;
    let disk = MemoryDisk::of(image, false);
    let server = open(&disk, 2);
    let result = server.take_up(id, KEY);
    assert!(
        matches!(result, Err(TakeUpError::Damaged { .. })),
        "{result:?}"
    );
    assert_eq!(server.interrupted(), []);
    let next = Backup::new(5, &[&[20]]);
    next.run(&server, request("Sales", Log, 1, 2));
    assert_restores(&server, &server.points(None, None)[0], &full);
    drop(server);
    assert_eq!(open(&disk, 3).points(None, None).len(), 2);
}

#[test]
fn an_interrupted_session_holds_its_file_against_retention_and_removal() {
    let (disk, _) = with_a_full();
    let id = interrupted(&disk, &log(), &request("Sales", Log, 2, 1));
    let server = open(&disk, 2);
    let file = server.points(None, None)[0].file.clone();
    assert!(server.remove_files(&[file]).is_err());
    server
        .rescan(vab_repository::RescanOptions::default())
        .unwrap();
    assert!(server.take_up(id, KEY).is_ok(), "a rescan leaves it");
}
