//! Small `.VAB` files for tests, the same every time.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use std::io::Cursor;

use uuid::Uuid;
use vab_format::block::{BlockHeader, Codecs};
use vab_format::checksum;
use vab_format::features::Features;
use vab_format::io::{VabReader, VabWriter};
use vab_format::session::{Base, Facts, LogPosition, SessionRecord, SetFacts, SetKind, SetMarks};
use vab_format::stream::StreamEnd;
use vab_format::vab::VabHeader;
use vab_format::vacm::Vacm;

pub type Memory = Cursor<Vec<u8>>;

pub fn header() -> VabHeader {
    VabHeader {
        file: Uuid::from_u128(0x0f0e_0d0c_0b0a_4908_8706_0504_0302_0100),
        job_id: Uuid::from_u128(0x1f1e_1d1c_1b1a_4918_9716_1514_1312_1110),
        job: "SRV01 MSSQL backup (Backup Vol 01)".into(),
        database: "Größe".into(),
        created: 1_763_780_000_000_000,
        data_start: 4096,
        features: Features::NONE,
    }
}

pub fn session_id(number: u32) -> Uuid {
    Uuid::from_u128(0x5e55_1000_0000_4000_8000_0000_0000_0000 | u128::from(number))
}

/// The raw bytes of a stream: neither constant nor periodic.
pub fn raw(session: u32, stream: u16, length: usize) -> Vec<u8> {
    let mut state = u64::from(session) << 32 | u64::from(stream) << 8 | 1;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33).to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

/// One session to be written: the lengths of its streams, and of its blocks.
#[derive(Clone, Debug)]
pub struct Plan {
    pub number: u32,
    pub streams: Vec<usize>,
    pub block: usize,
}

impl Plan {
    pub fn new(number: u32, streams: &[usize], block: usize) -> Self {
        Self {
            number,
            streams: streams.to_vec(),
            block,
        }
    }

    pub fn raw(&self, stream: u16) -> Vec<u8> {
        raw(self.number, stream, self.streams[usize::from(stream)])
    }

    /// Every block of the session: the streams take turns.
    pub fn blocks(&self) -> Vec<(BlockHeader, Vec<u8>)> {
        let mut blocks = Vec::new();
        for stream in 0..self.count() {
            let data = self.raw(stream);
            for (sequence, chunk) in data.chunks(self.block).enumerate() {
                let offset = (sequence * self.block) as u64;
                let header = BlockHeader::for_raw(
                    session_id(self.number),
                    stream,
                    sequence as u64,
                    offset,
                    chunk,
                );
                blocks.push((header, chunk.to_vec()));
            }
        }
        blocks.sort_by_key(|(header, _)| (header.sequence, header.stream));
        blocks
    }

    pub fn ends(&self) -> Vec<StreamEnd> {
        let end = |stream: u16| {
            let data = self.raw(stream);
            StreamEnd {
                stream,
                blocks: data.len().div_ceil(self.block) as u64,
                bytes: data.len() as u64,
                stored_bytes: data.len() as u64,
                crc: checksum::crc32c(&data),
            }
        };
        (0..self.count()).map(end).collect()
    }

    pub fn record(&self) -> SessionRecord {
        SessionRecord {
            id: session_id(self.number),
            job: header().job,
            database: header().database,
            server: "SRV01\\SQL2019".into(),
            started: 1_763_781_000_000_000 + i64::from(self.number),
            committed: 1_763_781_060_000_000 + i64::from(self.number),
            copy_only: false,
            encrypted: false,
            codecs: Codecs::default(),
            facts: self.facts(),
            streams: self.ends(),
            names: Vec::new(),
        }
    }

    fn facts(&self) -> Facts {
        let kind = match self.number % 4 {
            0 => return Facts::Opaque { kind: None },
            1 => SetKind::Full,
            2 => SetKind::Differential,
            _ => SetKind::Log,
        };
        let lsn = |slot| LogPosition {
            vlf: 24,
            block: 419 + self.number,
            slot,
        };
        Facts::Known(SetFacts {
            set_id: Uuid::from_u128(0x5e7 << 64 | u128::from(self.number)),
            kind,
            first_lsn: lsn(1),
            last_lsn: lsn(37),
            checkpoint_lsn: lsn(2),
            database_backup_lsn: LogPosition::default(),
            differential_base: (kind == SetKind::Differential).then(|| Base {
                id: Some(Uuid::from_u128(7)),
                lsn: lsn(2),
            }),
            first_fork: Some(Uuid::from_u128(9)),
            last_fork: Some(Uuid::from_u128(9)),
            fork_point: None,
            database_id: Some(Uuid::from_u128(10)),
            family_id: None,
            marks: SetMarks {
                checksums: true,
                ..SetMarks::default()
            },
            started: 1_763_784_600_000_000,
            finished: 1_763_784_650_000_000,
            utc_offset: Some(60),
            stripes: self.count(),
        })
    }

    fn count(&self) -> u16 {
        u16::try_from(self.streams.len()).unwrap()
    }

    pub fn write(&self, writer: &mut VabWriter<Memory>) {
        let mut session = writer.begin(session_id(self.number), self.count());
        for (header, payload) in self.blocks() {
            session.write(&header, &payload).unwrap();
        }
        session.commit(self.record()).unwrap();
    }
}

/// A file with these sessions.
pub fn file(plans: &[Plan]) -> Vec<u8> {
    let mut writer = VabWriter::create(Memory::default(), &header()).unwrap();
    for plan in plans {
        plan.write(&mut writer);
    }
    writer.into_inner().into_inner()
}

pub fn open(bytes: &[u8]) -> VabReader<Memory> {
    VabReader::open(Cursor::new(bytes.to_vec())).unwrap()
}

/// Four sessions: one stream, three streams, none with a byte, and one of a single byte.
pub fn four() -> Vec<Plan> {
    vec![
        Plan::new(1, &[9000], 4000),
        Plan::new(2, &[5000, 100, 4100], 3000),
        Plan::new(3, &[0], 1000),
        Plan::new(4, &[1], 1000),
    ]
}

/// The golden files of this format version, by name.
pub fn golden() -> Vec<(&'static str, Vec<u8>)> {
    let vab = file(&four());
    let vasm = open(&vab).vasm().unwrap();
    let job = Vacm {
        job_id: vasm.header.job_id,
        job: vasm.header.job.clone(),
        files: vec![vasm.summary("plain.VAB")],
    };
    vec![
        ("plain.VASM", vasm.encode().unwrap()),
        ("job.VACM", job.encode().unwrap()),
        ("plain.VAB", vab),
    ]
}
