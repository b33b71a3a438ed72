//! Sessions of encrypted blocks. The repository never sees a key: here nobody has one, the
//! payloads are just bytes.

#![expect(clippy::unwrap_used, reason = "a test that fails is to end at once")]

mod common;

use common::{at, payload, request};
use vab_chain::BackupKind::{Differential, Log};
use vab_chain::PointId;
use vab_format::block::{BlockFlags, BlockHeader, Codec};
use vab_format::checksum::crc32c;
use vab_format::stream::StreamEnd;
use vab_format::vab::KeyArea;
use vab_repository::{
    AppendSession, BeginError, Facts, Placement, Repository, RepositoryOptions, SessionFacts,
    SessionRequest, Severity, StoredPoint, VerifyOptions, WriteError,
};

fn sealed(id: PointId, bytes: &[u8]) -> BlockHeader {
    let length = u32::try_from(bytes.len()).unwrap();
    BlockHeader {
        session: id.0,
        stream: 0,
        sequence: 0,
        offset: 0,
        raw_length: length - 16,
        stored_length: length,
        codec: Codec::Raw,
        flags: BlockFlags::ENCRYPTED,
        stored_crc: crc32c(bytes),
        raw_crc: 0,
    }
}

fn wanted(hours: i64) -> SessionRequest {
    SessionRequest {
        encrypted: true,
        ..request("Sales", Log, 1, hours)
    }
}

fn run(session: AppendSession, number: u64) -> StoredPoint {
    let bytes = payload(number, 0, 0, 500);
    session
        .write(&sealed(session.id(), &bytes), &bytes)
        .unwrap();
    let end = StreamEnd {
        stream: 0,
        blocks: 1,
        bytes: 484,
        stored_bytes: 500,
        crc: 77,
    };
    let facts = SessionFacts {
        facts: Facts::Opaque { kind: Some(Log) },
        names: Vec::new(),
    };
    session.commit(&facts, &[end], at(0)).unwrap()
}

#[test]
fn an_encrypted_session_needs_key_slots_and_gives_them_back() {
    let root = tempfile::tempdir().unwrap();
    let repository = Repository::open(root.path(), RepositoryOptions::default(), at(0)).unwrap();
    let keys = KeyArea::default().encode().unwrap();
    let without = repository.begin(wanted(0)).unwrap_err();
    assert!(matches!(without, BeginError::Keys { encrypted: true }));
    let plain = repository
        .begin_encrypted(request("Sales", Log, 1, 0), &keys)
        .unwrap_err();
    assert!(matches!(plain, BeginError::Keys { encrypted: false }));
    assert!(repository.begin_encrypted(wanted(0), b"no keys").is_err());

    let first = run(repository.begin_encrypted(wanted(0), &keys).unwrap(), 1);
    let session = repository.begin_encrypted(wanted(1), &keys).unwrap();
    assert!(matches!(session.placement(), Placement::Append { .. }));
    assert_eq!(session.key_area(), Some(keys.as_slice()));
    let second = run(session, 2);
    assert_eq!(first.file, second.file);
    let reader = repository.reader(first.id).unwrap();
    assert_eq!(reader.key_area().unwrap(), Some(keys));
    assert_eq!(reader.read_block(0, 0).unwrap().1, payload(1, 0, 0, 500));
    let report = repository
        .verify(&VerifyOptions::default(), |_| {})
        .unwrap();
    assert_eq!(report.worst(), Severity::Clean, "{:?}", report.files);
}

#[test]
fn a_change_of_encryption_begins_a_new_file() {
    let root = tempfile::tempdir().unwrap();
    let repository = Repository::open(root.path(), RepositoryOptions::default(), at(0)).unwrap();
    let keys = KeyArea::default().encode().unwrap();
    let first = run(repository.begin_encrypted(wanted(0), &keys).unwrap(), 1);
    let plain = repository
        .begin(request("Sales", Differential, 1, 1))
        .unwrap();
    assert_ne!(plain.placement().file(), &first.file);
    assert!(
        plain.placement().to_string().contains("encrypt"),
        "{}",
        plain.placement()
    );
    assert!(plain.key_area().is_none());
    let bytes = payload(1, 0, 0, 500);
    let refused = plain
        .write(&sealed(plain.id(), &bytes), &bytes)
        .unwrap_err();
    assert!(matches!(
        refused,
        WriteError::Encryption { found: true, .. }
    ));
}

#[test]
fn damaged_key_slots_are_noticed() {
    let root = tempfile::tempdir().unwrap();
    let repository = Repository::open(root.path(), RepositoryOptions::default(), at(0)).unwrap();
    let keys = KeyArea::default().encode().unwrap();
    let point = run(repository.begin_encrypted(wanted(0), &keys).unwrap(), 1);
    let path = root.path().join(point.file.to_string());
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[5000] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let report = repository
        .verify(&VerifyOptions::default(), |_| {})
        .unwrap();
    assert_eq!(report.worst(), Severity::Degraded, "{:?}", report.files);
    assert!(report.points[0].is_whole());
}
