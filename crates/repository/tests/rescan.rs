//! Metadata that is lost, damaged or behind; folders copied from elsewhere; files looked into.

#![expect(clippy::unwrap_used, reason = "a test that fails is to end at once")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Backup, JOB, assert_restores, at, request};
use vab_chain::BackupKind::{Differential, Full, Log};
use vab_chain::PointState;
use vab_format::vab::Commit;
use vab_format::vasm::Vasm;
use vab_repository::{
    BeginError, InspectOptions, Notice, RemoveError, Repository, RepositoryOptions, RescanError,
    RescanOptions, Severity, StoredPoint, VerifyOptions, inspect,
};

fn open(root: &Path) -> Repository {
    Repository::open(root, RepositoryOptions::default(), at(50)).unwrap()
}

fn backup(number: u64) -> Backup {
    Backup::new(number, &[&[5000, 200], &[300]])
}

/// A full, a log in the same file, and a log in the next file.
fn filled(root: &Path) -> Vec<StoredPoint> {
    let repository = open(root);
    let run =
        |number, kind, hours| backup(number).run(&repository, request("Sales", kind, 2, hours));
    vec![run(1, Full, 0), run(2, Log, 1), run(3, Log, 30)]
}

fn assert_all(repository: &Repository, points: &[StoredPoint]) {
    assert_eq!(repository.points(None, None), points);
    for (number, point) in (1..).zip(points) {
        assert_restores(repository, point, &backup(number));
    }
}

fn files(root: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root.join(JOB))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect()
}

fn worst(repository: &Repository) -> Severity {
    repository
        .verify(&VerifyOptions::default(), |_| {})
        .unwrap()
        .worst()
}

#[test]
fn lost_and_damaged_metadata_is_made_anew_at_the_start() {
    let root = tempfile::tempdir().unwrap();
    let points = filled(root.path());
    for spoil in [
        |path: &Path| fs::remove_file(path).unwrap(),
        |path: &Path| fs::write(path, b"not metadata").unwrap(),
        |path: &Path| fs::write(path, b"").unwrap(),
    ] {
        let before: Vec<_> = ["VASM", "VACM"]
            .iter()
            .flat_map(|extension| files(root.path(), extension))
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect();
        assert_eq!(before.len(), 3);
        for (path, _) in &before {
            spoil(path);
        }
        let reader = Repository::open_read_only(root.path()).unwrap();
        assert_all(&reader, &points);
        assert_eq!(worst(&reader), Severity::Degraded);
        let repository = open(root.path());
        assert_eq!(repository.notices().len(), 3, "{:?}", repository.notices());
        assert_all(&repository, &points);
        assert_eq!(worst(&repository), Severity::Clean);
        for (path, bytes) in before {
            assert_eq!(fs::read(&path).unwrap(), bytes, "{}", path.display());
        }
    }
}

/// A sound record with the number of a session before the last, where only a later one can lie.
#[test]
fn an_older_commit_behind_the_end_is_not_the_end() {
    let root = tempfile::tempdir().unwrap();
    let run = |number, kind| {
        let request = request("Sales", kind, 2, 0);
        backup(number).run(&open(root.path()), request)
    };
    let mut points = vec![run(1, Full), run(2, Log)];
    let path = root.path().join(points[0].file.to_string());
    let mut data = fs::read(&path).unwrap();
    let vasm = Vasm::decode(&fs::read(path.with_extension("VASM")).unwrap()).unwrap();
    let mut position = vasm.commit_position(1).unwrap();
    let at = usize::try_from(position.offset).unwrap();
    let end = usize::try_from(vasm.sessions[0].end()).unwrap();
    let commit = Commit::decode(&data[at..end], &position).unwrap();
    position.offset = data.len() as u64;
    data.extend_from_slice(&commit.encode(&position).unwrap());
    fs::write(&path, data).unwrap();

    points.push(run(3, Log));
    assert_eq!(points[2].file, points[0].file);
    let repository = open(root.path());
    assert_all(&repository, &points);
    assert_eq!(worst(&repository), Severity::Clean);
}

#[test]
fn a_torn_session_is_cut_at_the_start_and_never_shown() {
    let root = tempfile::tempdir().unwrap();
    let points = filled(root.path());
    let last = root.path().join(points.last().unwrap().file.to_string());
    let whole = fs::read(&last).unwrap();
    let mut torn = whole.clone();
    torn.extend(common::payload(7, 0, 0, 10_000));
    fs::write(&last, torn).unwrap();
    let reader = Repository::open_read_only(root.path()).unwrap();
    assert_all(&reader, &points);
    assert_eq!(worst(&reader), Severity::Note);
    let repository = open(root.path());
    assert!(matches!(
        repository.notices().as_slice(),
        [Notice::CutTail { bytes: 10_000, .. }]
    ));
    assert_eq!(fs::read(&last).unwrap(), whole);
}

#[test]
fn a_folder_copied_from_elsewhere_is_taken_in() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let points = filled(from.path());
    let repository = open(to.path());
    fs::create_dir(to.path().join(JOB)).unwrap();
    // The data alone is enough.
    for path in files(from.path(), "VAB") {
        fs::copy(&path, to.path().join(JOB).join(path.file_name().unwrap())).unwrap();
    }
    let report = repository.rescan(RescanOptions::default()).unwrap();
    assert_eq!((report.jobs, report.files, report.found.len()), (1, 2, 3));
    assert_all(&repository, &points);
    assert_eq!(worst(&repository), Severity::Clean);
    // The chain is continued.
    let next = backup(4).run(&repository, request("Sales", Log, 2, 31));
    assert_eq!(next.file, points.last().unwrap().file);
}

#[test]
fn everything_can_be_rebuilt_on_demand_and_stays_the_same() {
    let root = tempfile::tempdir().unwrap();
    let points = filled(root.path());
    let repository = open(root.path());
    let mut options = RescanOptions::default();
    (options.rebuild_file_metadata, options.rebuild_job_metadata) = (true, true);
    let report = repository.rescan(options).unwrap();
    assert_eq!(
        (report.notices.len(), report.found.len(), report.gone.len()),
        (3, 0, 0)
    );
    assert_all(&repository, &points);
    assert_eq!(worst(&repository), Severity::Clean);
}

#[test]
fn a_missing_file_is_remembered_until_told_to_forget() {
    let root = tempfile::tempdir().unwrap();
    let points = filled(root.path());
    fs::remove_file(root.path().join(points.last().unwrap().file.to_string())).unwrap();
    for _ in 0..2 {
        let repository = open(root.path());
        assert!(matches!(
            repository.notices().as_slice(),
            [Notice::DataMissing { sessions: 1, .. }]
        ));
        assert_eq!(worst(&repository), Severity::Damaged);
    }
    let repository = open(root.path());
    let mut options = RescanOptions::default();
    options.forget_missing = true;
    repository.rescan(options).unwrap();
    assert_eq!(worst(&repository), Severity::Clean);
    assert_eq!(repository.points(None, None).len(), 2);
}

#[test]
fn no_rescan_while_a_backup_runs() {
    let root = tempfile::tempdir().unwrap();
    let repository = open(root.path());
    let session = repository.begin(request("Sales", Full, 1, 0)).unwrap();
    let busy = repository.rescan(RescanOptions::default()).unwrap_err();
    assert!(matches!(busy, RescanError::Busy { sessions: 1 }));
    session.abort();
    repository.rescan(RescanOptions::default()).unwrap();
    let reader = Repository::open_read_only(root.path()).unwrap();
    assert!(matches!(
        reader.rescan(RescanOptions::default()),
        Err(RescanError::ReadOnly)
    ));
    assert!(matches!(
        reader.begin(request("a", Full, 1, 0)),
        Err(BeginError::ReadOnly)
    ));
}

#[test]
fn files_are_removed_by_name_and_not_while_they_are_written() {
    let root = tempfile::tempdir().unwrap();
    let points = filled(root.path());
    let repository = open(root.path());
    let last = &points.last().unwrap().file;
    let session = repository.begin(request("Sales", Log, 1, 31)).unwrap();
    assert_eq!(session.placement().file(), last);
    let busy = repository
        .remove_files(std::slice::from_ref(last))
        .unwrap_err();
    assert!(matches!(busy, RemoveError::Busy { .. }));
    drop(session);
    let removed = repository.remove_files(std::slice::from_ref(last)).unwrap();
    assert_eq!((removed.files.len(), removed.points.len()), (1, 1));
    assert_eq!(files(root.path(), "VAB").len(), 1);
    assert_eq!(files(root.path(), "VASM").len(), 1);
    assert_eq!(worst(&repository), Severity::Clean);
    let gone = repository
        .remove_files(std::slice::from_ref(last))
        .unwrap_err();
    assert!(matches!(gone, RemoveError::NoSuchFile { .. }));
}

#[test]
fn verify_says_what_the_chain_lacks() {
    let root = tempfile::tempdir().unwrap();
    let repository = open(root.path());
    let full = backup(1).run(&repository, request("Sales", Full, 2, 0));
    let diff = request("Sales", Differential, 2, 1);
    let session = repository.begin(diff.clone()).unwrap();
    backup(2).write_all(&session).unwrap();
    let mut facts = backup(2).facts("Sales", Differential);
    let vab_repository::Facts::Known(set) = &mut facts.facts else {
        unreachable!()
    };
    let base = full.restore_point().unwrap().set;
    set.differential_base = Some(vab_chain::DifferentialBase {
        id: Some(base.id),
        lsn: base.checkpoint_lsn,
    });
    session.commit(&facts, &backup(2).ends(), at(1)).unwrap();
    let states = || {
        let report = repository
            .verify(&VerifyOptions::default(), |_| {})
            .unwrap();
        report
            .points
            .into_iter()
            .map(|point| point.state)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        states(),
        [Some(PointState::Restorable), Some(PointState::Restorable)]
    );
    let path = root.path().join(full.file.to_string());
    let mut bytes = fs::read(&path).unwrap();
    if let Some(byte) = bytes.get_mut(5000) {
        *byte ^= 1;
    }
    fs::write(&path, bytes).unwrap();
    let states = states();
    assert_eq!(states.len(), 2);
    assert!(
        states
            .iter()
            .all(|state| state != &Some(PointState::Restorable)),
        "{states:?}"
    );
}

/// Verify found nothing, and the rescan forgot them without a word.
#[test]
fn a_file_replaced_by_an_older_copy_without_its_metadata_is_noticed() {
    let root = tempfile::tempdir().unwrap();
    let repository = open(root.path());
    backup(1).run(&repository, request("Sales", Full, 2, 0));
    let data = files(root.path(), "VAB").remove(0);
    let older = fs::read(&data).unwrap();
    backup(2).run(&repository, request("Sales", Log, 2, 1));
    drop(repository);
    fs::write(&data, older).unwrap();
    fs::remove_file(files(root.path(), "VASM").remove(0)).unwrap();
    let reader = Repository::open_read_only(root.path()).unwrap();
    assert_eq!(worst(&reader), Severity::Damaged);
    let repository = open(root.path());
    let is_told = |notice: &Notice| {
        matches!(
            notice,
            Notice::PointsMissing {
                known: 2,
                found: 1,
                ..
            }
        )
    };
    assert!(repository.notices().iter().any(is_told));
}

#[test]
fn a_file_is_looked_into_whole_or_damaged() {
    let root = tempfile::tempdir().unwrap();
    let points = filled(root.path());
    let path = root.path().join(points.first().unwrap().file.to_string());
    let whole = inspect(&path, InspectOptions::default()).unwrap();
    assert_eq!(whole.problems, []);
    let kinds: Vec<_> = whole
        .records
        .iter()
        .map(|record| record.kind.as_str())
        .collect();
    assert_eq!(
        kinds,
        [
            "block",
            "block",
            "block",
            "commit record",
            "block",
            "block",
            "block",
            "commit record"
        ]
    );
    assert!(whole.to_string().contains("nothing is wrong"));
    let mut bytes = fs::read(&path).unwrap();
    let second = whole.records.get(1).unwrap().offset;
    if let Some(byte) = bytes.get_mut(usize::try_from(second).unwrap() + 3) {
        *byte ^= 1;
    }
    fs::write(&path, bytes).unwrap();
    let damaged = inspect(&path, InspectOptions::default()).unwrap();
    assert_eq!(damaged.records.len(), 7);
    assert!(
        damaged
            .problems
            .iter()
            .all(|problem| problem.offset == second)
    );
    assert!(
        damaged
            .to_string()
            .contains(&format!("wrong at byte {second}"))
    );
    for extension in ["VASM", "VACM"] {
        for path in files(root.path(), extension) {
            let sound = inspect(&path, InspectOptions::default()).unwrap();
            assert!(
                sound.problems.is_empty() && !sound.records.is_empty(),
                "{sound}"
            );
        }
    }
    assert!(inspect(root.path().join("x.VAB"), InspectOptions::default()).is_err());
}
