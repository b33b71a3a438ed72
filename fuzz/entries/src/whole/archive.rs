//! The sound repositories that a hostile one is made of.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use vab_chain::{BackupKind, BackupSet, BackupSetId, Lsn, PointId, ServerTime, UtcTime};
use vab_format::block::{BlockFlags, BlockHeader};
use vab_format::checksum::crc32c;
use vab_format::codec::{Compression, Encoder};
use vab_repository::storage::StoragePath;
use vab_repository::{Facts, Repository, SessionFacts, SessionRequest};

use super::memory::Memory;
use super::segmented;

/// The files of a repository with one data file.
#[derive(Debug)]
pub(super) struct Archive {
    pub(super) files: BTreeMap<StoragePath, Vec<u8>>,
    pub(super) data: StoragePath,
    pub(super) metadata: StoragePath,
    pub(super) encrypted: bool,
}

pub(super) fn now() -> UtcTime {
    UtcTime::from_micros(1_763_780_000_000_000)
}

pub(super) fn request(encrypted: bool, kind: BackupKind) -> SessionRequest {
    SessionRequest {
        job: "Nightly".to_owned(),
        database: "Sales".to_owned(),
        kind: Some(kind),
        copy_only: false,
        encrypted,
        streams: 2,
        now: now(),
    }
}

impl Archive {
    /// One of the sound archives; the number is the input's.
    pub(super) fn chosen(number: u8) -> &'static Self {
        static PLAIN: OnceLock<Archive> = OnceLock::new();
        static ENCRYPTED: OnceLock<Archive> = OnceLock::new();
        static SEGMENTED: OnceLock<Archive> = OnceLock::new();
        match number {
            0 | 224..=254 => {
                SEGMENTED.get_or_init(|| segmented::cut(Self::make(false, &[1, 1, 3])))
            }
            1..=63 => ENCRYPTED.get_or_init(|| Self::make(true, &[1, 1])),
            _ => PLAIN.get_or_init(|| Self::make(false, &[1, 1])),
        }
    }

    /// A full and logs, of two streams with so many blocks in each.
    fn make(encrypted: bool, sessions: &[u64]) -> Self {
        let memory = Arc::new(Memory::default());
        let repository = memory.open_for_writing();
        for (number, blocks) in (1..).zip(sessions) {
            let kind = if number == 1 {
                BackupKind::Full
            } else {
                BackupKind::Log
            };
            back_up(&repository, encrypted, number, kind, *blocks);
        }
        drop(repository);
        Self::of(memory.files(), encrypted)
    }

    pub(super) fn of(files: BTreeMap<StoragePath, Vec<u8>>, encrypted: bool) -> Self {
        let path = |extension: &str| {
            let mut paths = files.keys();
            paths
                .find(|path| path.file().as_str().ends_with(extension))
                .expect("the file was written")
                .clone()
        };
        Self {
            data: path(".VAB"),
            metadata: path(".VASM"),
            files,
            encrypted,
        }
    }
}

fn back_up(
    repository: &Repository,
    encrypted: bool,
    number: u32,
    kind: BackupKind,
    blocks: u64,
) -> PointId {
    let session = super::begin(repository, encrypted, kind);
    for _ in 0..blocks {
        super::write(&session, encrypted);
    }
    let mut ends = session.ends();
    if encrypted {
        for end in &mut ends {
            end.crc = number;
        }
    }
    session
        .commit(&facts(number, kind), &ends, now())
        .expect("all of it came")
        .id
}

/// A block: raw, compressed, or of an encrypted session.
pub(super) fn block(
    session: PointId,
    encrypted: bool,
    stream: u16,
    sequence: u64,
) -> (BlockHeader, Bytes) {
    const RAW: [u8; 300] = [7; 300];
    let PointId(session) = session;
    let offset = sequence * RAW.len() as u64;
    if encrypted {
        let payload = Bytes::from_static(&[0x5A; 332]);
        let header = BlockHeader {
            flags: BlockFlags::ENCRYPTED,
            raw_length: 300,
            raw_crc: 0,
            stored_crc: crc32c(&payload),
            ..BlockHeader::for_raw(session, stream, sequence, offset, &payload)
        };
        return (header, payload);
    }
    let raw = Bytes::from_static(&RAW);
    if stream == 1 {
        return Encoder::new(Compression::Lz4)
            .expect("it is built in")
            .block(session, stream, sequence, offset, raw)
            .expect("it compresses");
    }
    let header = BlockHeader::for_raw(session, stream, sequence, offset, &raw);
    (header, raw)
}

pub(super) fn facts(number: u32, kind: BackupKind) -> SessionFacts {
    let lsn = |slot| Lsn::new(number, 1, slot);
    let started = ServerTime::from_micros(i64::from(number));
    let set = BackupSet::new(
        BackupSetId(uuid::Uuid::from_u128(number.into())),
        "Sales",
        kind,
        lsn(1)..lsn(9),
        started,
        started,
    );
    SessionFacts {
        facts: Facts::Known(set),
        names: Vec::new(),
    }
}
