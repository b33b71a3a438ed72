//! Machines that share a disk, but not its locks.

mod common;
mod disk;

use common::{Backup, assert_restores, request};
use disk::MemoryDisk;
use disk::workload::storage;
use vab_chain::BackupKind::Full;
use vab_chain::UtcTime;
use vab_repository::{CommitError, OpenError, Owner, Repository, RepositoryOptions};

/// Every opening of this disk gets its lock: it is as if each came from a machine of its own.
fn open(disk: &MemoryDisk, host: &str, seconds: i64) -> Result<Repository, OpenError> {
    let now = UtcTime::from_micros(seconds * 1_000_000);
    let mut options = RepositoryOptions::default();
    options.owner = Some(Owner {
        process: "vab".to_owned(),
        host: host.to_owned(),
        since: now,
    });
    Repository::open_on(storage(disk), options, now)
}

#[test]
fn another_machine_waits_for_the_end_of_the_lease() {
    let disk = MemoryDisk::new();
    let first = open(&disk, "a", 0).unwrap();
    let refused = open(&disk, "b", 59).unwrap_err();
    assert!(refused.to_string().contains("vab on a"), "{refused}");
    first.renew_lease(UtcTime::from_micros(50_000_000)).unwrap();
    assert!(open(&disk, "b", 100).is_err());
    assert!(open(&disk, "b", 110).is_ok());
}

#[test]
fn a_repository_that_was_closed_is_free_at_once() {
    let disk = MemoryDisk::new();
    drop(open(&disk, "a", 0).unwrap());
    assert!(open(&disk, "b", 1).is_ok());
}

#[test]
fn who_was_taken_over_commits_nothing_more() {
    let disk = MemoryDisk::new();
    let first = open(&disk, "a", 0).unwrap();
    let backup = Backup::new(1, &[&[500]]);
    let wanted = request("Sales", Full, 1, 0);
    let session = first.begin(wanted.clone()).unwrap();
    backup.write_all(&session).unwrap();
    let second = open(&disk, "b", 61).unwrap();
    let late = backup.commit(session, &wanted).unwrap_err();
    assert!(matches!(late, CommitError::Write(_)), "{late}");
    assert!(
        late.to_string().contains("taken the repository over"),
        "{late}"
    );
    assert!(first.begin(wanted.clone()).is_err());
    assert!(first.renew_lease(UtcTime::from_micros(62_000_000)).is_err());
    drop(first);
    let point = backup.run(&second, wanted);
    assert_restores(&second, &point, &backup);
    assert_eq!(second.points(None, None), [point]);
}
