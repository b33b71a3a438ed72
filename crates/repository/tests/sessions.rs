//! Sessions in, restore points out, in a folder of this machine.

#![expect(clippy::unwrap_used, reason = "a test that fails is to end at once")]

mod common;

use std::fs;

use common::{Backup, JOB, assert_restores, at, request};
use vab_chain::BackupKind::{Differential, Full, Log};
use vab_repository::{
    BeginError, OpenError, Placement, Repository, RepositoryOptions, SessionRequest, WriteError,
};

fn open(root: &tempfile::TempDir) -> Repository {
    Repository::open(root.path(), RepositoryOptions::default(), at(0)).unwrap()
}

fn backup(number: u64) -> Backup {
    Backup::new(number, &[&[100_000, 1, 3968], &[70_000], &[]])
}

fn request_3(database: &str, kind: vab_chain::BackupKind, hours: i64) -> SessionRequest {
    request(database, kind, 3, hours)
}

#[test]
fn a_backup_comes_back_byte_for_byte() {
    let root = tempfile::tempdir().unwrap();
    let repository = open(&root);
    let point = backup(1).run(&repository, request_3("Sales", Full, 0));
    assert_restores(&repository, &point, &backup(1));
    let listed = repository.points(Some(JOB), Some("Sales"));
    assert_eq!(listed, std::slice::from_ref(&point));
    drop(repository);
    let repository = open(&root);
    assert_eq!(repository.notices(), []);
    assert_eq!(repository.points(None, None), std::slice::from_ref(&point));
    assert_restores(&repository, &point, &backup(1));
}

#[test]
fn the_folder_is_laid_out_as_documented() {
    let root = tempfile::tempdir().unwrap();
    backup(1).run(&open(&root), request_3("Sales", Full, 0));
    let folder = root.path().join(JOB);
    let mut names: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let [job, data, metadata] = names.as_slice() else {
        panic!("{names:?}")
    };
    assert_eq!(job, &format!("{JOB}.VACM"));
    assert!(
        data.starts_with("Sales_") && data.rsplit_once('.').is_some_and(|(_, end)| end == "VAB"),
        "{data}"
    );
    assert_eq!(metadata, &data.replace(".VAB", ".VASM"));
}

#[test]
fn a_new_file_for_a_full_and_after_24_hours() {
    let root = tempfile::tempdir().unwrap();
    let repository = open(&root);
    let run =
        |number, kind, hours| backup(number).run(&repository, request_3("Sales", kind, hours));
    let full = run(1, Full, 0);
    let log = run(2, Log, 1);
    let diff = run(3, Differential, 24);
    let late = run(4, Log, 25);
    let next = run(5, Full, 26);
    assert_eq!(log.file, full.file);
    assert_eq!(diff.file, full.file);
    assert_ne!(late.file, full.file);
    assert_ne!(next.file, late.file);
    for (number, point) in [(1, &full), (2, &log), (3, &diff), (4, &late), (5, &next)] {
        assert_restores(&repository, point, &backup(number));
    }
    assert_eq!(repository.jobs()[0].files, 3);
}

#[test]
fn two_databases_never_share_a_file() {
    let root = tempfile::tempdir().unwrap();
    let repository = open(&root);
    let sales = backup(1).run(&repository, request_3("Sales", Full, 0));
    let other = backup(2).run(&repository, request_3("SALES", Log, 0));
    assert_ne!(sales.file, other.file);
    assert_eq!(sales.file.folder(), other.file.folder());
}

#[test]
fn two_sessions_of_one_database_have_a_file_each() {
    let root = tempfile::tempdir().unwrap();
    let repository = open(&root);
    let full = backup(1).run(&repository, request_3("Sales", Full, 0));
    let first = repository.begin(request_3("Sales", Log, 1)).unwrap();
    let second = repository.begin(request_3("Sales", Log, 1)).unwrap();
    assert_eq!(first.placement().file(), &full.file);
    assert_ne!(second.placement().file(), &full.file);
    backup(2).write_all(&first).unwrap();
    backup(3).write_all(&second).unwrap();
    let third = backup(3)
        .commit(second, &request_3("Sales", Log, 1))
        .unwrap();
    let point = backup(2)
        .commit(first, &request_3("Sales", Log, 1))
        .unwrap();
    assert_restores(&repository, &point, &backup(2));
    assert_restores(&repository, &third, &backup(3));
}

#[test]
fn streams_are_written_from_many_threads() {
    let root = tempfile::tempdir().unwrap();
    let repository = open(&root);
    let lengths: Vec<usize> = (0..200).map(|i| 1 + i * 97 % 9000).collect();
    let backup = Backup::new(1, &[lengths.as_slice(); 8]);
    let request = request("Sales", Full, 8, 0);
    let session = repository.begin(request.clone()).unwrap();
    std::thread::scope(|scope| {
        for stream in 0..8 {
            let (session, backup, blocks) = (&session, &backup, lengths.len() as u64);
            scope.spawn(move || {
                for sequence in 0..blocks {
                    backup.write(session, stream, sequence).unwrap();
                }
                session.sync().unwrap();
            });
        }
    });
    let point = backup.commit(session, &request).unwrap();
    assert_restores(&repository, &point, &backup);
}

#[test]
fn a_long_stream_is_found_through_its_index() {
    let root = tempfile::tempdir().unwrap();
    let repository = open(&root);
    let lengths = vec![10; 10_000];
    let backup = Backup::new(1, &[&lengths]);
    let point = backup.run(&repository, request("Sales", Full, 1, 0));
    let reader = repository.reader(point.id).unwrap();
    for sequence in [0, 4095, 4096, 9999, 5000, 1] {
        let (header, payload) = reader.read_block(0, sequence).unwrap();
        assert_eq!(header.offset, sequence * 10);
        assert_eq!(payload, common::payload(1, 0, sequence, 10));
        assert_eq!(
            reader.block_at(0, sequence * 10 + 9).unwrap(),
            Some(sequence)
        );
    }
    assert_eq!(reader.block_at(0, 100_000).unwrap(), None);
    assert!(reader.read_block(0, 10_000).is_err());
    assert!(reader.read_block(1, 0).is_err());
}

#[test]
fn an_aborted_session_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let repository = open(&root);
    let aborted = repository.begin(request_3("Sales", Full, 0)).unwrap();
    backup(1).write_all(&aborted).unwrap();
    aborted.abort();
    assert_eq!(repository.points(None, None), []);
    assert_eq!(fs::read_dir(root.path().join(JOB)).unwrap().count(), 0);
    let full = backup(2).run(&repository, request_3("Sales", Full, 0));
    let path = root.path().join(full.file.to_string());
    let length = fs::metadata(&path).unwrap().len();
    let dropped = repository.begin(request_3("Sales", Log, 1)).unwrap();
    backup(3).write_all(&dropped).unwrap();
    assert!(fs::metadata(&path).unwrap().len() > length);
    drop(dropped);
    assert_eq!(fs::metadata(&path).unwrap().len(), length);
    let log = backup(4).run(&repository, request_3("Sales", Log, 2));
    assert_eq!(log.file, full.file);
    assert_restores(&repository, &log, &backup(4));
}

#[test]
fn what_the_source_claims_must_have_come() {
    let root = tempfile::tempdir().unwrap();
    let repository = open(&root);
    let session = repository.begin(request_3("Sales", Full, 0)).unwrap();
    backup(1).write_all(&session).unwrap();
    let mut ends = backup(1).ends();
    ends[1].crc ^= 1;
    let error = session
        .commit(&backup(1).facts("Sales", Full), &ends, at(0))
        .unwrap_err();
    assert!(error.to_string().contains("checksum"), "{error}");
    assert_eq!(repository.points(None, None), []);
}

#[test]
fn a_damaged_or_misplaced_block_is_refused_and_the_session_goes_on() {
    let root = tempfile::tempdir().unwrap();
    let repository = open(&root);
    let request = request("Sales", Full, 1, 0);
    let backup = Backup::new(1, &[&[100, 200]]);
    let session = repository.begin(request.clone()).unwrap();
    let bytes = common::payload(1, 0, 0, 100);
    let header = vab_format::block::BlockHeader::for_raw(session.id().0, 0, 0, 0, &bytes);
    assert!(matches!(
        session.write(&header, &bytes[1..]),
        Err(WriteError::Refused { .. })
    ));
    assert!(matches!(
        backup.write(&session, 0, 1),
        Err(WriteError::Refused { .. })
    ));
    backup.write(&session, 0, 0).unwrap();
    assert!(matches!(
        backup.write(&session, 0, 0),
        Err(WriteError::Refused { .. })
    ));
    backup.write(&session, 0, 1).unwrap();
    let point = backup.commit(session, &request).unwrap();
    assert_restores(&repository, &point, &backup);
}

#[test]
fn a_second_server_is_refused_by_name_and_a_reader_is_not() {
    let root = tempfile::tempdir().unwrap();
    let server = open(&root);
    let point = backup(1).run(&server, request_3("Sales", Full, 0));
    let second = Repository::open(root.path(), RepositoryOptions::default(), at(1)).unwrap_err();
    let OpenError::InUse { owner, .. } = second else {
        panic!("{second}")
    };
    assert!(
        owner
            .unwrap()
            .process
            .contains(&std::process::id().to_string())
    );
    let reader = Repository::open_read_only(root.path()).unwrap();
    assert_restores(&reader, &point, &backup(1));
    let begun = reader.begin(request_3("Sales", Log, 1)).unwrap_err();
    assert!(matches!(begun, BeginError::ReadOnly));
    let log = backup(2).run(&server, request_3("Sales", Log, 1));
    assert_eq!(reader.points(None, None).len(), 1);
    reader.refresh().unwrap();
    assert_restores(&reader, &log, &backup(2));
    drop(server);
    open(&root);
}

#[test]
fn a_folder_that_is_missing_or_of_something_else_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let options = RepositoryOptions::default;
    let missing = Repository::open(root.path().join("x"), options(), at(0)).unwrap_err();
    assert!(matches!(missing, OpenError::Missing { .. }), "{missing}");
    let missing = Repository::open_read_only(root.path().join("x")).unwrap_err();
    assert!(matches!(missing, OpenError::Missing { .. }), "{missing}");
    fs::write(root.path().join("letter.txt"), "x").unwrap();
    let foreign = Repository::open(root.path(), options(), at(0)).unwrap_err();
    assert!(matches!(foreign, OpenError::Foreign { .. }), "{foreign}");
    let file = Repository::open(root.path().join("letter.txt"), options(), at(0)).unwrap_err();
    assert!(matches!(file, OpenError::Missing { .. }), "{file}");
}

#[test]
fn jobs_whose_names_differ_in_case_have_a_folder_each() {
    let root = tempfile::tempdir().unwrap();
    let repository = open(&root);
    let of_job = |job: &str| SessionRequest {
        job: job.to_owned(),
        ..request_3("a", Full, 0)
    };
    let names = [
        "Prod",
        "PROD",
        "../../etc",
        "CON",
        "Größe",
        "x".repeat(300).as_str(),
    ]
    .map(str::to_owned);
    for (number, job) in (1..).zip(&names) {
        backup(number).run(&repository, of_job(job));
    }
    let reopened = Repository::open_read_only(root.path()).unwrap();
    let mut jobs: Vec<_> = reopened.jobs().into_iter().map(|job| job.name).collect();
    jobs.sort();
    let mut expected = names.to_vec();
    expected.sort();
    assert_eq!(jobs, expected);
    for (number, job) in (1..).zip(&names) {
        let [point] = &reopened.points(Some(job), None)[..] else {
            panic!("{job}")
        };
        assert_restores(&reopened, point, &backup(number));
    }
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), names.len() + 3);
}

#[test]
fn the_placement_says_why() {
    let root = tempfile::tempdir().unwrap();
    let repository = open(&root);
    let session = repository.begin(request_3("Sales", Log, 0)).unwrap();
    assert!(matches!(session.placement(), Placement::New { .. }));
    let text = session.placement().to_string();
    assert!(
        text.starts_with("new file SRV01") && text.contains("no file"),
        "{text}"
    );
}
