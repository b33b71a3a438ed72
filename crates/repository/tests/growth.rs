//! Opening and listing takes a number of reads that does not grow with the sessions in a file,
//! and finding a block one that grows with their logarithm at most.

#![expect(clippy::unwrap_used, reason = "a test that fails is to end at once")]

mod common;
mod disk;

use common::{Backup, at, request};
use disk::MemoryDisk;
use disk::workload::storage;
use vab_chain::BackupKind::Log;
use vab_repository::{Repository, RepositoryOptions};

/// The reads of opening and listing, of reading one block of the oldest and the newest restore
/// point, and of beginning the next session.
#[derive(Debug, PartialEq, Eq)]
struct Reads {
    open: u64,
    block: u64,
    begin: u64,
}

/// Appends sessions up to `count`, without the metadata of each: the last commit writes all.
fn grown(disk: &MemoryDisk, from: usize, count: usize) {
    let repository =
        Repository::open_on(storage(disk), RepositoryOptions::default(), at(0)).unwrap();
    for number in from..count {
        Backup::new(number as u64, &[&[40]]).run(&repository, request("Sales", Log, 1, 1));
    }
    assert_eq!(
        repository.jobs().first().map(|job| (job.files, job.points)),
        Some((1, count))
    );
}

fn measure(disk: &MemoryDisk, count: usize) -> Reads {
    let before = disk.reads();
    let repository = Repository::open_read_only_on(storage(disk)).unwrap();
    let points = repository.points(None, None);
    let open = disk.reads() - before;
    assert_eq!(points.len(), count);
    let before = disk.reads();
    for point in points.first().into_iter().chain(points.last()) {
        let (_, payload) = repository
            .reader(point.id)
            .unwrap()
            .read_block(0, 0)
            .unwrap();
        assert_eq!(payload.len(), 40);
    }
    let block = disk.reads() - before;
    drop(repository);
    let server = Repository::open_on(storage(disk), RepositoryOptions::default(), at(0)).unwrap();
    let before = disk.reads();
    drop(server.begin(request("Sales", Log, 1, 2)).unwrap());
    Reads {
        open,
        block,
        begin: disk.reads() - before,
    }
}

#[test]
fn opening_and_listing_is_constant_in_sessions() {
    let sessions: usize = std::env::var("VAB_SESSIONS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(500);
    let disk = MemoryDisk::of(disk::Image::default(), false);
    grown(&disk, 0, 10);
    let few = measure(&disk, 10);
    grown(&disk, 10, sessions);
    let many = measure(&disk, sessions);
    println!("growth: 10 sessions: {few:?}; {sessions} sessions: {many:?}");
    assert_eq!(few, many);
}

#[test]
fn a_job_of_many_files_is_listed_with_a_constant_number_of_reads_each() {
    let files = 200;
    let disk = MemoryDisk::of(disk::Image::default(), false);
    let repository =
        Repository::open_on(storage(&disk), RepositoryOptions::default(), at(0)).unwrap();
    for number in 0..files {
        let database = format!("db{number}");
        Backup::new(number, &[&[40]]).run(&repository, request(&database, Log, 1, 1));
    }
    let before = disk.reads();
    let reader = Repository::open_read_only_on(storage(&disk)).unwrap();
    assert_eq!(reader.jobs().first().map(|job| job.points), Some(200));
    let reads = disk.reads() - before;
    println!("growth: {files} files: {reads} reads");
    assert!(reads <= 5 * files + 10, "{reads}");
}
