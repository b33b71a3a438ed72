//! Values for the unit tests.

use uuid::Uuid;

use crate::block::Codecs;
use crate::features::Features;
use crate::session::{Base, Facts, LogPosition, SessionRecord, SetFacts, SetKind, SetMarks};
use crate::stream::StreamEnd;
use crate::vab::VabHeader;

/// The header of a file.
pub(crate) fn header() -> VabHeader {
    VabHeader {
        file: Uuid::from_u128(0xF11E),
        job_id: Uuid::from_u128(0x10B),
        job: "SRV01 MSSQL backup (Backup Vol 01)".into(),
        database: "Größe".into(),
        created: 1_763_780_000_000_000,
        data_start: 4096,
        features: Features::NONE,
    }
}

/// A session with every optional field there.
pub(crate) fn session(number: u32) -> SessionRecord {
    let lsn = |slot| LogPosition {
        vlf: number,
        block: 419,
        slot,
    };
    let id = |kind: u128| Uuid::from_u128((kind << 64) | u128::from(number));
    SessionRecord {
        id: id(1),
        job: "SRV01 MSSQL backup (Backup Vol 01)".into(),
        database: "Größe".into(),
        server: "SRV01\\SQL".into(),
        started: 1_763_781_000_000_000,
        committed: 1_763_781_060_000_000,
        copy_only: false,
        encrypted: false,
        codecs: Codecs::default(),
        facts: Facts::Known(SetFacts {
            set_id: id(2),
            kind: SetKind::Differential,
            first_lsn: lsn(1),
            last_lsn: lsn(9),
            checkpoint_lsn: lsn(2),
            database_backup_lsn: lsn(3),
            differential_base: Some(Base {
                id: Some(id(3)),
                lsn: lsn(4),
            }),
            first_fork: Some(id(4)),
            last_fork: Some(id(5)),
            fork_point: Some(lsn(5)),
            database_id: Some(id(6)),
            family_id: Some(id(7)),
            marks: SetMarks {
                checksums: true,
                ..SetMarks::default()
            },
            started: 1_763_784_600_000_000,
            finished: 1_763_784_650_000_000,
            utc_offset: Some(60),
            stripes: 2,
        }),
        streams: vec![end(0), end(1)],
        names: vec!["a_1.bak".into(), "a_2.bak".into()],
    }
}

/// A session of which nothing is known but its bytes.
pub(crate) fn opaque_session(number: u32) -> SessionRecord {
    SessionRecord {
        facts: Facts::Opaque { kind: None },
        names: Vec::new(),
        ..session(number)
    }
}

fn end(stream: u16) -> StreamEnd {
    StreamEnd {
        stream,
        blocks: 2,
        bytes: 2_000_000,
        stored_bytes: 2_000_000,
        crc: 0x0102_0304,
    }
}

/// Bytes that cannot be compressed.
pub(crate) fn noise(length: usize) -> bytes::Bytes {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}
