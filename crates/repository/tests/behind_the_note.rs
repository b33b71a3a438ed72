//! What is found of a session behind its note: record by record, as far as they are whole.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test that fails is to end at once"
)]

mod common;
mod disk;

use common::{Backup, assert_restores, at, payload, request};
use disk::crash::Crash;
use disk::workload::storage;
use disk::{Failure, Image, MemoryDisk};
use vab_chain::BackupKind::{Full, Log};
use vab_chain::PointId;
use vab_format::block::BlockHeader;
use vab_repository::storage::StoragePath;
use vab_repository::{
    AppendSession, Placement, Repository, RepositoryOptions, SessionRequest, TakeUpError,
};

const KEY: [u8; 16] = [7; 16];
const PAGE: usize = 4096;

fn open(disk: &MemoryDisk) -> Repository {
    Repository::open_on(storage(disk), RepositoryOptions::default(), at(2)).unwrap()
}

fn kill(repository: Repository, session: AppendSession) {
    std::mem::forget(session);
    std::mem::forget(repository);
}

fn path(image: &Image, extension: &str) -> StoragePath {
    let mut names = image.names.keys();
    let found = names.find(|path| path.file().split_extension().1 == extension);
    found.unwrap().clone()
}

/// Two streams; in the file their blocks lie in turn: 0 0, 1 0, 0 1, 1 1, 0 2, 1 2.
fn log() -> Backup {
    Backup::new(2, &[&[700, 5000, 1], &[4000, 10, 9000]])
}

/// Where the records of the log begin, in pages behind the end of what was committed, and where
/// the last ends.
const PAGES: [usize; 7] = [0, 1, 3, 5, 6, 7, 10];

fn log_request() -> SessionRequest {
    request("Sales", Log, 2, 1)
}

/// A server that was killed while a log was on its way. Its note is from before the first block.
struct Killed {
    image: Image,
    full: Backup,
    session: PointId,
    /// Where the records of the log begin.
    start: usize,
}

impl Killed {
    /// With every block of the log written and synced.
    fn new() -> Self {
        let disk = MemoryDisk::of(Image::default(), false);
        let full = Backup::new(1, &[&[5000, 300]]);
        full.run(&open(&disk), request("Sales", Full, 1, 0));
        let server = open(&disk);
        let session = server.begin(log_request()).unwrap();
        session.keep_key(KEY).unwrap();
        let image = disk.image();
        let start = image.content(&path(&image, "VAB")).unwrap().len();
        let note = image.content(&path(&image, "VABNOTE")).unwrap().clone();
        log().write_all(&session).unwrap();
        session.sync().unwrap();
        let id = session.id();
        kill(server, session);
        let image = disk.image();
        let there = image.content(&path(&image, "VABNOTE"));
        assert_eq!(there, Some(&note), "written seldom");
        let length = image.content(&path(&image, "VAB")).unwrap().len();
        assert_eq!(length, start + PAGES[6] * PAGE);
        Self {
            image,
            full,
            session: id,
            start,
        }
    }

    /// The bytes from the first record of the log on.
    fn edit(&mut self, edit: impl FnOnce(&mut Vec<u8>)) {
        let path = path(&self.image, "VAB");
        let content = self.image.content_mut(&path).unwrap();
        let mut records = content.split_off(self.start);
        edit(&mut records);
        content.extend(records);
    }

    /// It is taken up with so many records, goes on, and becomes a whole restore point.
    fn goes_on_with(self, records: usize) {
        let disk = MemoryDisk::of(self.image, false);
        let server = open(&disk);
        let session = server.take_up(self.session, KEY).unwrap();
        let blocks: Vec<_> = session.ends().iter().map(|end| end.blocks).collect();
        let due = [records.div_ceil(2) as u64, records as u64 / 2];
        assert_eq!(blocks, due, "blocks of the streams");
        let image = disk.image();
        let length = image.content(&path(&image, "VAB")).unwrap().len();
        assert_eq!(length, self.start + PAGES[records] * PAGE, "it is cut");
        log().write_rest(&session).unwrap();
        log().commit(session, &log_request()).unwrap();
        drop(server);
        let server = open(&disk);
        assert_eq!(server.notices(), []);
        let points = server.points(None, None);
        assert_eq!(points.len(), 2);
        assert_restores(&server, &points[0], &self.full);
        assert_restores(&server, &points[1], &log());
    }
}

#[test]
fn all_that_was_synced_is_found() {
    Killed::new().goes_on_with(6);
}

#[test]
fn what_was_written_and_not_synced_is_found_too() {
    let mut killed = Killed::new();
    killed.edit(|records| records.truncate(PAGES[1] * PAGE));
    let disk = MemoryDisk::of(killed.image, false);
    let server = open(&disk);
    let session = server.take_up(killed.session, KEY).unwrap();
    log().write(&session, 1, 0).unwrap();
    kill(server, session);
    killed.image = disk.image();
    killed.goes_on_with(2);
}

#[test]
fn a_changed_payload_ends_it() {
    let mut killed = Killed::new();
    killed.edit(|records| records[PAGES[2] * PAGE + 4500] ^= 1);
    killed.goes_on_with(2);
}

#[test]
fn a_changed_frame_ends_it() {
    let mut killed = Killed::new();
    killed.edit(|records| records[PAGES[3] * PAGE + 20] ^= 1);
    killed.goes_on_with(3);
}

#[test]
fn a_changed_padding_ends_it() {
    let mut killed = Killed::new();
    killed.edit(|records| records[PAGES[1] * PAGE - 1] ^= 1);
    killed.goes_on_with(0);
}

#[test]
fn a_payload_that_did_not_come_whole_ends_it() {
    let mut killed = Killed::new();
    // The frame came, and the first page of the payload.
    killed.edit(|records| records[PAGE * 8..PAGE * 9].fill(0));
    killed.goes_on_with(5);
}

#[test]
fn a_hole_ends_it() {
    let mut killed = Killed::new();
    killed.edit(|records| records[PAGES[1] * PAGE..PAGES[2] * PAGE].fill(0));
    killed.goes_on_with(1);
}

#[test]
fn the_end_of_the_file_within_a_record_ends_it() {
    for length in [
        PAGES[5] * PAGE + 100,
        PAGES[5] * PAGE + 128,
        PAGES[6] * PAGE - 1,
    ] {
        let mut killed = Killed::new();
        killed.edit(|records| records.truncate(length));
        killed.goes_on_with(5);
    }
}

#[test]
fn a_record_at_another_place_ends_it() {
    let mut killed = Killed::new();
    // A write that went to where the one before it had its place.
    killed.edit(|records| records.copy_within(PAGES[4] * PAGE..PAGES[5] * PAGE, PAGES[3] * PAGE));
    killed.goes_on_with(3);
}

#[test]
fn records_of_a_session_that_was_given_up_end_it() {
    let mut killed = Killed::new();
    // The same blocks at the same places of the same file, under the same number.
    let mut before = killed.image.clone();
    let note = path(&before, "VABNOTE");
    before.names.remove(&note);
    let disk = MemoryDisk::of(before, false);
    let server = open(&disk);
    let other = server.begin(log_request()).unwrap();
    log().write_all(&other).unwrap();
    let image = disk.image();
    let stale = image.content(&path(&image, "VAB")).unwrap()[killed.start..].to_vec();
    drop((other, server));
    killed.edit(|records| {
        assert_eq!(stale.len(), records.len());
        let from = PAGES[4] * PAGE;
        records[from..].copy_from_slice(&stale[from..]);
    });
    killed.goes_on_with(4);
}

#[test]
fn a_commit_that_did_not_come_whole_is_cut_off() {
    let mut killed = Killed::new();
    let disk = MemoryDisk::of(killed.image.clone(), false);
    let server = open(&disk);
    let session = server.take_up(killed.session, KEY).unwrap();
    log().commit(session, &log_request()).unwrap();
    let image = disk.image();
    let committed = image.content(&path(&image, "VAB")).unwrap()[killed.start..].to_vec();
    killed.edit(|records| {
        let length = records.len();
        records.extend_from_slice(&committed[length..]);
        let last = records.len() - 1;
        records[last] ^= 1;
    });
    killed.goes_on_with(6);
}

#[test]
fn a_new_file_goes_on_behind_its_note() {
    let disk = MemoryDisk::of(Image::default(), false);
    let request = request("Sales", Full, 2, 1);
    let server = open(&disk);
    let session = server.begin(request.clone()).unwrap();
    session.keep_key(KEY).unwrap();
    log().write(&session, 0, 0).unwrap();
    session.sync().unwrap();
    let id = session.id();
    kill(server, session);
    let server = open(&disk);
    let session = server.take_up(id, KEY).unwrap();
    assert!(matches!(session.placement(), Placement::New { .. }));
    assert_eq!(session.ends()[0].blocks, 1);
    log().write_rest(&session).unwrap();
    let point = log().commit(session, &request).unwrap();
    assert_restores(&server, &point, &log());
}

/// One stream of blocks of one byte, with its first index segment behind the 4096th.
fn long(edit: impl FnOnce(&mut Vec<u8>)) {
    const BLOCKS: u64 = 4100;
    let backup = Backup::new(3, &[&vec![1; 4110]]);
    let disk = MemoryDisk::of(Image::default(), false);
    let request = request("Sales", Full, 1, 1);
    let server = open(&disk);
    let session = server.begin(request.clone()).unwrap();
    session.keep_key(KEY).unwrap();
    for sequence in 0..BLOCKS {
        // Written here, so that the offsets need not be added up each time.
        let bytes = payload(3, 0, sequence, 1);
        let PointId(id) = session.id();
        let header = BlockHeader::for_raw(id, 0, sequence, sequence, &bytes);
        session.write(&header, &bytes).unwrap();
    }
    session.sync().unwrap();
    let id = session.id();
    kill(server, session);
    let mut image = disk.image();
    let data = image
        .names
        .keys()
        .find(|path| path.file().as_str().ends_with(".VAB.part"));
    let data = data.unwrap().clone();
    let whole = image.content(&data).unwrap().clone();
    edit(image.content_mut(&data).unwrap());
    let changed = *image.content(&data).unwrap() != whole;
    let disk = MemoryDisk::of(image, false);
    let server = open(&disk);
    let session = server.take_up(id, KEY).unwrap();
    let due = if changed { 4096 } else { BLOCKS };
    assert_eq!(session.ends()[0].blocks, due);
    if changed {
        // Also without the note that was written anew it is found again.
        let image = disk.image();
        let there = image.content(&data).unwrap();
        assert_eq!(
            there[..],
            whole[..there.len()],
            "the segment is there again"
        );
    }
    backup.write_rest(&session).unwrap();
    let point = backup.commit(session, &request).unwrap();
    assert_restores(&server, &point, &backup);
}

/// The page on which the index segment begins, from the end: the segment and four blocks.
fn segment_page(file: &[u8]) -> usize {
    let mut pages = file.chunks(PAGE);
    pages.rposition(|page| page.starts_with(b"VIDX")).unwrap()
}

#[test]
fn index_segments_are_passed() {
    long(|_| {});
}

#[test]
fn a_changed_index_segment_is_written_again() {
    long(|file| {
        let at = (segment_page(file) + 1) * PAGE;
        file[at] ^= 1;
    });
}

#[test]
fn an_index_segment_that_did_not_come_is_written_again() {
    long(|file| {
        let at = segment_page(file) * PAGE;
        file.truncate(at);
    });
}

/// A session of which nothing was synced but its note, on a disk that records; the machine goes
/// on when the server is killed.
fn never_synced() -> (MemoryDisk, PointId) {
    let disk = MemoryDisk::new();
    Backup::new(1, &[&[5000]]).run(&open(&disk), request("Sales", Full, 1, 0));
    let server = open(&disk);
    let session = server.begin(log_request()).unwrap();
    session.keep_key(KEY).unwrap();
    log().write(&session, 0, 0).unwrap();
    let id = session.id();
    kill(server, session);
    (disk, id)
}

/// The disk after a loss of power that took everything that was not synced.
fn power_lost(disk: &MemoryDisk) -> MemoryDisk {
    let mut crash = Crash::default();
    disk.log().iter().for_each(|change| crash.step(change));
    let nothing = crash.choices(0, 0).swap_remove(0);
    MemoryDisk::of(crash.image(&nothing), true)
}

#[test]
fn what_is_taken_up_is_durable_and_noted() {
    let (disk, id) = never_synced();
    let note = |disk: &MemoryDisk| {
        let image = disk.image();
        image.content(&path(&image, "VABNOTE")).unwrap().clone()
    };
    let before = note(&disk);
    let server = open(&disk);
    let session = server.take_up(id, KEY).unwrap();
    assert_eq!(session.ends()[0].blocks, 1);
    kill(server, session);
    let disk = power_lost(&disk);
    assert_ne!(note(&disk), before);
    let server = open(&disk);
    let session = server.take_up(id, KEY).unwrap();
    assert_eq!(session.ends()[0].blocks, 1, "as it was told");
}

#[test]
fn what_may_not_be_on_the_disk_is_not_taken_up() {
    let (disk, id) = never_synced();
    for call in 0.. {
        let disk = MemoryDisk::of(disk.image(), false);
        let server = open(&disk);
        disk.fail_at(call, Failure::Device);
        let taken = server.take_up(id, KEY);
        let failed = disk.failed();
        disk.no_failure();
        if failed != Some("sync") {
            continue;
        }
        assert!(
            matches!(taken, Err(TakeUpError::NotDurable { .. })),
            "{taken:?}"
        );
        // A second sync would succeed, and nothing would be on the disk.
        let again = server.take_up(id, KEY);
        assert!(
            matches!(again, Err(TakeUpError::Unknown { .. })),
            "{again:?}"
        );
        let file = server.points(None, None)[0].file.clone();
        let next = Backup::new(5, &[&[20], &[3]]).run(&server, log_request());
        assert_ne!(next.file, file, "it is not trusted again");
        break;
    }
}

#[test]
fn what_a_failed_sync_left_in_memory_is_not_taken_up() {
    let disk = MemoryDisk::of(Image::default(), false);
    let server = open(&disk);
    let session = server.begin(request("Sales", Full, 2, 1)).unwrap();
    session.keep_key(KEY).unwrap();
    log().write(&session, 0, 0).unwrap();
    session.sync().unwrap();
    log().write(&session, 1, 0).unwrap();
    disk.fail_at(0, Failure::Device);
    session.sync().unwrap_err();
    let id = session.id();
    // Before it could remove anything.
    kill(server, session);
    let server = open(&disk);
    let session = server.take_up(id, KEY).unwrap();
    let blocks: Vec<_> = session.ends().iter().map(|end| end.blocks).collect();
    assert_eq!(blocks, [1, 0]);
}

#[test]
fn a_disk_that_could_not_be_read_is_asked_again() {
    let (disk, id) = never_synced();
    let mut tried = 0;
    for call in 0..100 {
        let disk = MemoryDisk::of(disk.image(), false);
        let server = open(&disk);
        disk.fail_at(call, Failure::Device);
        let taken = server.take_up(id, KEY);
        let failed = disk.failed();
        disk.no_failure();
        match (taken, failed) {
            (Ok(_), None) => break,
            (Err(TakeUpError::Storage(_)), Some(_)) => {
                let session = server.take_up(id, KEY).unwrap();
                assert_eq!(session.ends()[0].blocks, 1);
                tried += 1;
            }
            (Err(TakeUpError::NotDurable { .. }), Some("sync")) => {}
            other => panic!("call {call}: {other:?}"),
        }
    }
    assert!(tried > 5, "{tried}");
}

#[test]
fn a_note_is_written_anew_when_the_session_has_come_on() {
    let disk = MemoryDisk::of(Image::default(), false);
    let mut options = RepositoryOptions::default();
    options.note_interval = 2 * PAGE as u64;
    let server = Repository::open_on(storage(&disk), options, at(2)).unwrap();
    let backup = Backup::new(1, &[&[1; 5]]);
    let session = server.begin(request("Sales", Full, 1, 1)).unwrap();
    session.keep_key(KEY).unwrap();
    let mut notes = Vec::new();
    for sequence in 0..5 {
        backup.write(&session, 0, sequence).unwrap();
        session.sync().unwrap();
        let image = disk.image();
        notes.push(image.content(&path(&image, "VABNOTE")).unwrap().clone());
    }
    let changed: Vec<_> = notes.windows(2).map(|two| two[0] != two[1]).collect();
    assert_eq!(changed, [true, false, true, false]);
}

#[test]
fn a_sync_without_a_note_is_one_call() {
    let disk = MemoryDisk::of(Image::default(), false);
    let server = open(&disk);
    let session = server.begin(log_request()).unwrap();
    session.keep_key(KEY).unwrap();
    log().write(&session, 0, 0).unwrap();
    let before = disk.calls();
    session.sync().unwrap();
    assert_eq!(disk.calls() - before, 1);
}
