//! The sound repositories that a hostile one is made of.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use vab_chain::{BackupKind, BackupSet, BackupSetId, Lsn, PointId, ServerTime, UtcTime};
use vab_format::block::{BlockFlags, BlockHeader};
use vab_format::checksum::crc32c;
use vab_format::codec::{Compression, Encoder};
use vab_format::vab::KeyArea;
use vab_repository::storage::{LocalDirectory, StoragePath};
use vab_repository::{Facts, Repository, RepositoryOptions, SessionFacts, SessionRequest};

use super::memory::Memory;

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
    /// One of the sound archives; the number is the input's. The long one is slow and rare.
    pub(super) fn chosen(number: u8) -> &'static Self {
        static PLAIN: OnceLock<Archive> = OnceLock::new();
        static ENCRYPTED: OnceLock<Archive> = OnceLock::new();
        static LONG: OnceLock<Archive> = OnceLock::new();
        match number {
            0 => LONG.get_or_init(|| Self::make(false, 140)),
            1..=63 => ENCRYPTED.get_or_init(|| Self::make(true, 1)),
            _ => PLAIN.get_or_init(|| Self::make(false, 1)),
        }
    }

    /// Three sessions of two streams; the last has `blocks` blocks in each.
    fn make(encrypted: bool, blocks: u64) -> Self {
        let memory = Arc::new(Memory::default());
        let storage = Arc::new(LocalDirectory::over(Arc::<Memory>::clone(&memory) as Arc<_>));
        let repository = Repository::open_on(storage, RepositoryOptions::default(), now())
            .expect("an empty folder becomes a repository");
        let sessions = [
            (1, BackupKind::Full, 2),
            (2, BackupKind::Log, 1),
            (3, BackupKind::Log, blocks),
        ];
        for (number, kind, blocks) in sessions {
            back_up(&repository, encrypted, number, kind, blocks);
        }
        drop(repository);
        let files = memory.files();
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
    let request = request(encrypted, kind);
    let session = if encrypted {
        let area = KeyArea::default().encode().expect("no slot is too long");
        repository.begin_encrypted(request, &area)
    } else {
        repository.begin(request)
    };
    let session = session.expect("a sound repository takes sessions");
    for sequence in 0..blocks {
        for stream in 0..2 {
            let (header, payload) = block(session.id(), encrypted, stream, sequence);
            session.write(&header, &payload).expect("it is due");
        }
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
