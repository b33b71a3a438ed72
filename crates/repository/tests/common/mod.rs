//! Backups for the tests: made from a number, so that what is read back can be compared.

#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    missing_debug_implementations,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "shared by several test programs, each of which uses a part"
)]

use uuid::Uuid;
use vab_chain::{BackupKind, BackupSet, BackupSetId, ForkId, Lsn, PointId, ServerTime, UtcTime};
use vab_format::block::{BlockFlags, BlockHeader};
use vab_format::checksum;
use vab_format::stream::StreamEnd;
use vab_format::vab::KeyArea;
use vab_repository::{
    AppendSession, BeginError, CommitError, Facts, Repository, SessionFacts, SessionRequest,
    StoredPoint, WriteError,
};

pub const JOB: &str = "SRV01 MSSQL backup (Backup Vol 01)";
const HOUR: i64 = 3_600_000_000;

/// Hours on the repository's clock.
pub fn at(hours: i64) -> UtcTime {
    UtcTime::from_micros(1_763_780_000_000_000 + hours * HOUR)
}

pub fn request(database: &str, kind: BackupKind, streams: u16, hours: i64) -> SessionRequest {
    SessionRequest {
        job: JOB.to_owned(),
        database: database.to_owned(),
        kind: Some(kind),
        copy_only: false,
        encrypted: false,
        streams,
        now: at(hours),
    }
}

/// Bytes that follow from a number, a stream and a block.
pub fn payload(number: u64, stream: u16, sequence: u64, length: usize) -> Vec<u8> {
    let mut state =
        number.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (u64::from(stream) << 32) ^ sequence;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&(state ^ (state >> 29)).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// A backup: the lengths of the blocks of each stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    pub number: u64,
    pub streams: Vec<Vec<usize>>,
    /// Nobody has a key here: the payloads are 32 bytes longer, and just bytes.
    pub encrypted: bool,
}

const SEAL: usize = 32;

impl Backup {
    pub fn new(number: u64, streams: &[&[usize]]) -> Self {
        Self {
            number,
            streams: streams.iter().map(|blocks| blocks.to_vec()).collect(),
            encrypted: false,
        }
    }

    pub fn encrypted(mut self) -> Self {
        self.encrypted = true;
        self
    }

    /// Begins a session for it.
    pub fn begin(
        &self,
        repository: &Repository,
        request: &SessionRequest,
    ) -> Result<AppendSession, BeginError> {
        let mut request = request.clone();
        request.encrypted = self.encrypted;
        if self.encrypted {
            let area = KeyArea::default().encode().unwrap();
            repository.begin_encrypted(request, &area)
        } else {
            repository.begin(request)
        }
    }

    pub fn stream(&self, stream: u16) -> Vec<u8> {
        let lengths = &self.streams[usize::from(stream)];
        let blocks = (0..).zip(lengths);
        blocks
            .flat_map(|(sequence, length)| payload(self.number, stream, sequence, *length))
            .collect()
    }

    pub fn ends(&self) -> Vec<StreamEnd> {
        let ends = (0..).zip(&self.streams).map(|(stream, blocks)| {
            let bytes = blocks.iter().sum::<usize>() as u64;
            let seals = if self.encrypted {
                SEAL * blocks.len()
            } else {
                0
            };
            StreamEnd {
                stream,
                blocks: blocks.len() as u64,
                bytes,
                stored_bytes: bytes + seals as u64,
                crc: checksum::crc32c(&self.stream(stream)),
            }
        });
        ends.collect()
    }

    /// One block of the session.
    pub fn block(
        &self,
        session: &AppendSession,
        stream: u16,
        sequence: u64,
    ) -> (BlockHeader, Vec<u8>) {
        let blocks = &self.streams[usize::from(stream)];
        let offset = blocks[..sequence as usize].iter().sum::<usize>() as u64;
        let mut bytes = payload(self.number, stream, sequence, blocks[sequence as usize]);
        let PointId(id) = session.id();
        let mut header = BlockHeader::for_raw(id, stream, sequence, offset, &bytes);
        if self.encrypted {
            bytes.extend_from_slice(&[0x5E; SEAL]);
            header.flags = BlockFlags::ENCRYPTED;
            header.stored_length += SEAL as u32;
            header.stored_crc = checksum::crc32c(&bytes);
            header.raw_crc = 0;
        }
        (header, bytes)
    }

    /// Writes one block.
    pub fn write(
        &self,
        session: &AppendSession,
        stream: u16,
        sequence: u64,
    ) -> Result<(), WriteError> {
        let (header, bytes) = self.block(session, stream, sequence);
        session.write(&header, &bytes)
    }

    /// Writes all blocks, the streams in turn.
    pub fn write_all(&self, session: &AppendSession) -> Result<(), WriteError> {
        let longest = self.streams.iter().map(Vec::len).max().unwrap_or(0);
        for sequence in 0..longest {
            for (stream, blocks) in (0..).zip(&self.streams) {
                if sequence < blocks.len() {
                    self.write(session, stream, sequence as u64)?;
                }
            }
        }
        Ok(())
    }

    /// Writes the blocks that the session does not have yet.
    pub fn write_rest(&self, session: &AppendSession) -> Result<(), WriteError> {
        for (stream, end) in (0..).zip(session.ends()) {
            for sequence in end.blocks..self.streams[usize::from(stream)].len() as u64 {
                self.write(session, stream, sequence)?;
            }
        }
        Ok(())
    }

    pub fn facts(&self, database: &str, kind: BackupKind) -> SessionFacts {
        // A log goes on where the backup with the number before it ended.
        let lsn = |number: u64| Lsn::new(number as u32, 1, 1);
        let started = ServerTime::from_micros(self.number as i64 * HOUR);
        let mut set = BackupSet::new(
            BackupSetId(Uuid::from_u128(self.number.into())),
            database,
            kind,
            lsn(self.number)..lsn(self.number + 1),
            started,
            started,
        );
        set.first_fork = Some(ForkId(Uuid::from_u128(7)));
        set.last_fork = set.first_fork;
        set.stripes = self.streams.len() as u16;
        SessionFacts {
            facts: Facts::Known(set),
            names: Vec::new(),
        }
    }

    pub fn commit(
        &self,
        session: AppendSession,
        request: &SessionRequest,
    ) -> Result<StoredPoint, CommitError> {
        let facts = self.facts(&request.database, request.kind.unwrap_or(BackupKind::Full));
        session.commit(&facts, &self.ends(), request.now)
    }

    /// Backs up, all in one.
    pub fn run(&self, repository: &Repository, request: SessionRequest) -> StoredPoint {
        let session = repository.begin(request.clone()).unwrap();
        self.write_all(&session).unwrap();
        self.commit(session, &request).unwrap()
    }
}

/// Reads a stream of a restore point back, through its blocks.
pub fn read_stream(
    repository: &Repository,
    point: &StoredPoint,
    stream: u16,
) -> Result<Vec<u8>, vab_repository::ReadError> {
    let reader = repository.reader(point.id)?;
    let mut bytes = Vec::new();
    for sequence in 0..reader.streams()[usize::from(stream)].blocks {
        let (header, payload) = reader.read_block(stream, sequence)?;
        assert_eq!(header.offset, bytes.len() as u64);
        bytes.extend_from_slice(&payload[..header.raw_length as usize]);
    }
    Ok(bytes)
}

/// Checks that a restore point gives back every byte of a backup.
pub fn assert_restores(repository: &Repository, point: &StoredPoint, backup: &Backup) {
    assert_eq!(point.streams, backup.ends());
    for stream in 0..backup.streams.len() as u16 {
        assert_eq!(
            read_stream(repository, point, stream).unwrap(),
            backup.stream(stream)
        );
    }
}
