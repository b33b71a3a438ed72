//! The bytes of a session record.

use binrw::binrw;
use uuid::Uuid;

use super::{Base, Facts, LogPosition, SessionRecord, SetFacts, SetKind, SetMarks};
use crate::block::Codecs;
use crate::error::{DecodeError, EncodeError, Part};
use crate::limits::{MAX_SESSION_RECORD_LENGTH, MAX_STREAMS};
use crate::stream::StreamEnd;
use crate::wire::{self, Fields};

const PART: Part = Part::SessionRecord;

/// A record of a later revision is this one with more bytes at its end.
const REVISION: u16 = 1;

mod present {
    pub(super) const COPY_ONLY: u16 = 1;
    pub(super) const ENCRYPTED: u16 = 1 << 1;
    pub(super) const FACTS: u16 = 1 << 2;
    pub(super) const LZ4: u16 = 1 << 3;
    pub(super) const ZSTD: u16 = 1 << 4;
    pub(super) const ALL: u16 = COPY_ONLY | ENCRYPTED | FACTS | LZ4 | ZSTD;
}

impl SessionRecord {
    /// The bytes of the record. It has no checksum of its own, what holds it has.
    ///
    /// # Errors
    /// When a name or list is longer than its limit.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut out = Vec::with_capacity(512);
        let mut flags = 0;
        for (set, bit) in [
            (self.copy_only, present::COPY_ONLY),
            (self.encrypted, present::ENCRYPTED),
            (self.facts_known(), present::FACTS),
            (self.codecs.lz4, present::LZ4),
            (self.codecs.zstd, present::ZSTD),
        ] {
            if set {
                flags |= bit;
            }
        }
        out.extend_from_slice(&REVISION.to_le_bytes());
        out.extend_from_slice(&flags.to_le_bytes());
        out.extend_from_slice(self.id.as_bytes());
        out.extend_from_slice(&self.started.to_le_bytes());
        out.extend_from_slice(&self.committed.to_le_bytes());
        wire::put_name(&mut out, PART, "job", &self.job)?;
        wire::put_name(&mut out, PART, "database", &self.database)?;
        wire::put_name(&mut out, PART, "server", &self.server)?;
        match &self.facts {
            Facts::Known(facts) => {
                out.extend_from_slice(&wire::fixed::<{ Stored::LENGTH }, _>(&Stored::from(facts)));
            }
            Facts::Opaque { kind } => out.push(kind.map_or(0, kind_number)),
        }
        wire::put_count(
            &mut out,
            PART,
            "streams",
            self.streams.len(),
            MAX_STREAMS as u64,
        )?;
        for end in &self.streams {
            out.extend_from_slice(&end.encode());
        }
        wire::put_count(
            &mut out,
            PART,
            "names",
            self.names.len(),
            MAX_STREAMS as u64,
        )?;
        for name in &self.names {
            wire::put_name(&mut out, PART, "file name", name)?;
        }
        Ok(out)
    }

    /// Reads a record.
    ///
    /// # Errors
    /// When the bytes are cut short, a length is over its limit, or a field has a value that it
    /// cannot have.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_SESSION_RECORD_LENGTH {
            return Err(DecodeError::OverLimit {
                part: PART,
                field: "length",
                length: wire::size(bytes.len()),
                limit: wire::size(MAX_SESSION_RECORD_LENGTH),
            });
        }
        let mut fields = Fields::new(PART, bytes);
        let revision = fields.u16()?;
        if revision == 0 {
            return Err(fields.invalid("revision", 0));
        }
        let flags = fields.u16()?;
        if flags & !present::ALL != 0 && revision == REVISION {
            return Err(fields.invalid("flags", flags.into()));
        }
        let record = Self {
            id: fields.uuid()?,
            started: fields.i64()?,
            committed: fields.i64()?,
            copy_only: flags & present::COPY_ONLY != 0,
            encrypted: flags & present::ENCRYPTED != 0,
            codecs: Codecs {
                lz4: flags & present::LZ4 != 0,
                zstd: flags & present::ZSTD != 0,
            },
            job: fields.name("job")?,
            database: fields.name("database")?,
            server: fields.name("server")?,
            facts: if flags & present::FACTS != 0 {
                Facts::Known(fields.record::<Stored>(Stored::LENGTH)?.facts()?)
            } else {
                let number = fields.u8()?;
                Facts::Opaque {
                    kind: (number != 0).then(|| kind(number)).transpose()?,
                }
            },
            streams: streams(&mut fields)?,
            names: names(&mut fields)?,
        };
        if revision == REVISION {
            fields.finish()?;
        }
        Ok(record)
    }
}

fn streams(fields: &mut Fields<'_>) -> Result<Vec<StreamEnd>, DecodeError> {
    let count = fields.count("streams", MAX_STREAMS as u64)?;
    let mut streams = Vec::with_capacity(count);
    for due in 0..count {
        let bytes = fields.take(StreamEnd::LENGTH)?;
        let end = match bytes.try_into() {
            Ok(bytes) => StreamEnd::decode(bytes)?,
            Err(_) => return Err(fields.invalid("streams", wire::size(count))),
        };
        if usize::from(end.stream) != due {
            return Err(fields.invalid("stream number", end.stream.into()));
        }
        streams.push(end);
    }
    Ok(streams)
}

fn names(fields: &mut Fields<'_>) -> Result<Vec<String>, DecodeError> {
    let count = fields.count("names", MAX_STREAMS as u64)?;
    let mut names = Vec::with_capacity(count);
    for _ in 0..count {
        names.push(fields.name("file name")?);
    }
    Ok(names)
}

const fn kind_number(kind: SetKind) -> u8 {
    match kind {
        SetKind::Full => 1,
        SetKind::Differential => 2,
        SetKind::Log => 3,
    }
}

fn kind(number: u8) -> Result<SetKind, DecodeError> {
    match number {
        1 => Ok(SetKind::Full),
        2 => Ok(SetKind::Differential),
        3 => Ok(SetKind::Log),
        _ => Err(DecodeError::InvalidValue {
            part: PART,
            field: "kind",
            found: number.into(),
        }),
    }
}

/// A log position as it lies in the file.
#[binrw]
#[brw(little)]
#[derive(Clone, Copy, Default, PartialEq)]
struct StoredPosition {
    vlf: u32,
    block: u32,
    slot: u16,
}

impl From<LogPosition> for StoredPosition {
    fn from(lsn: LogPosition) -> Self {
        let LogPosition { vlf, block, slot } = lsn;
        Self { vlf, block, slot }
    }
}

impl From<StoredPosition> for LogPosition {
    fn from(lsn: StoredPosition) -> Self {
        let StoredPosition { vlf, block, slot } = lsn;
        Self { vlf, block, slot }
    }
}

/// The facts of a set as they lie in the file. What is not there is zero, and its bit in
/// `present` too.
#[binrw]
#[brw(little)]
struct Stored {
    kind: u8,
    present: u8,
    marks: u16,
    stripes: u16,
    utc_offset: i16,
    set_id: [u8; 16],
    first_lsn: StoredPosition,
    last_lsn: StoredPosition,
    checkpoint_lsn: StoredPosition,
    database_backup_lsn: StoredPosition,
    base_lsn: StoredPosition,
    fork_point: StoredPosition,
    base_id: [u8; 16],
    first_fork: [u8; 16],
    last_fork: [u8; 16],
    database_id: [u8; 16],
    family_id: [u8; 16],
    started: i64,
    finished: i64,
}

mod optional {
    pub(super) const BASE: u8 = 1;
    pub(super) const BASE_ID: u8 = 1 << 1;
    pub(super) const FIRST_FORK: u8 = 1 << 2;
    pub(super) const LAST_FORK: u8 = 1 << 3;
    pub(super) const FORK_POINT: u8 = 1 << 4;
    pub(super) const DATABASE_ID: u8 = 1 << 5;
    pub(super) const FAMILY_ID: u8 = 1 << 6;
    pub(super) const UTC_OFFSET: u8 = 1 << 7;
}

impl Stored {
    const LENGTH: usize = 180;

    fn facts(&self) -> Result<SetFacts, DecodeError> {
        let has = |bit| self.present & bit != 0;
        Ok(SetFacts {
            set_id: Uuid::from_bytes(self.set_id),
            kind: kind(self.kind)?,
            first_lsn: self.first_lsn.into(),
            last_lsn: self.last_lsn.into(),
            checkpoint_lsn: self.checkpoint_lsn.into(),
            database_backup_lsn: self.database_backup_lsn.into(),
            differential_base: self.base()?,
            first_fork: id("first fork", has(optional::FIRST_FORK), self.first_fork)?,
            last_fork: id("last fork", has(optional::LAST_FORK), self.last_fork)?,
            fork_point: position("fork point", has(optional::FORK_POINT), self.fork_point)?,
            database_id: id("database id", has(optional::DATABASE_ID), self.database_id)?,
            family_id: id("family id", has(optional::FAMILY_ID), self.family_id)?,
            marks: marks(self.marks)?,
            started: self.started,
            finished: self.finished,
            utc_offset: if has(optional::UTC_OFFSET) {
                Some(self.utc_offset)
            } else {
                absent("UTC offset", self.utc_offset == 0)?;
                None
            },
            stripes: self.stripes,
        })
    }

    fn base(&self) -> Result<Option<Base>, DecodeError> {
        let base = self.present & optional::BASE != 0;
        let base_id = self.present & optional::BASE_ID != 0;
        absent("base", base || !base_id)?;
        let id = id("base id", base_id, self.base_id)?;
        let lsn = position("base LSN", base, self.base_lsn)?;
        Ok(lsn.map(|lsn| Base { id, lsn }))
    }
}

/// A field that is marked as absent must be zero.
fn absent(field: &'static str, zero: bool) -> Result<(), DecodeError> {
    if zero {
        return Ok(());
    }
    Err(DecodeError::InvalidValue {
        part: PART,
        field,
        found: 0,
    })
}

fn id(field: &'static str, present: bool, bytes: [u8; 16]) -> Result<Option<Uuid>, DecodeError> {
    if present {
        return Ok(Some(Uuid::from_bytes(bytes)));
    }
    absent(field, bytes == [0; 16])?;
    Ok(None)
}

fn position(
    field: &'static str,
    present: bool,
    lsn: StoredPosition,
) -> Result<Option<LogPosition>, DecodeError> {
    if present {
        return Ok(Some(lsn.into()));
    }
    absent(field, lsn == StoredPosition::default())?;
    Ok(None)
}

impl From<&SetFacts> for Stored {
    fn from(facts: &SetFacts) -> Self {
        let mut present = 0;
        let base = facts.differential_base;
        for (set, bit) in [
            (base.is_some(), optional::BASE),
            (base.is_some_and(|b| b.id.is_some()), optional::BASE_ID),
            (facts.first_fork.is_some(), optional::FIRST_FORK),
            (facts.last_fork.is_some(), optional::LAST_FORK),
            (facts.fork_point.is_some(), optional::FORK_POINT),
            (facts.database_id.is_some(), optional::DATABASE_ID),
            (facts.family_id.is_some(), optional::FAMILY_ID),
            (facts.utc_offset.is_some(), optional::UTC_OFFSET),
        ] {
            if set {
                present |= bit;
            }
        }
        let bytes = |id: Option<Uuid>| id.unwrap_or_default().into_bytes();
        Self {
            kind: kind_number(facts.kind),
            present,
            marks: mark_bits(facts.marks),
            stripes: facts.stripes,
            utc_offset: facts.utc_offset.unwrap_or_default(),
            set_id: facts.set_id.into_bytes(),
            first_lsn: facts.first_lsn.into(),
            last_lsn: facts.last_lsn.into(),
            checkpoint_lsn: facts.checkpoint_lsn.into(),
            database_backup_lsn: facts.database_backup_lsn.into(),
            base_lsn: base.map(|base| base.lsn).unwrap_or_default().into(),
            fork_point: facts.fork_point.unwrap_or_default().into(),
            base_id: bytes(base.and_then(|base| base.id)),
            first_fork: bytes(facts.first_fork),
            last_fork: bytes(facts.last_fork),
            database_id: bytes(facts.database_id),
            family_id: bytes(facts.family_id),
            started: facts.started,
            finished: facts.finished,
        }
    }
}

fn mark_bits(marks: SetMarks) -> u16 {
    [
        marks.begins_log_chain,
        marks.bulk_logged,
        marks.tail,
        marks.damaged,
        marks.incomplete_metadata,
        marks.checksums,
    ]
    .into_iter()
    .enumerate()
    .fold(0, |bits, (at, set)| bits | (u16::from(set) << at))
}

fn marks(bits: u16) -> Result<SetMarks, DecodeError> {
    if bits >> 6 != 0 {
        return Err(DecodeError::InvalidValue {
            part: PART,
            field: "marks",
            found: bits.into(),
        });
    }
    let has = |at: u16| bits & (1 << at) != 0;
    Ok(SetMarks {
        begins_log_chain: has(0),
        bulk_logged: has(1),
        tail: has(2),
        damaged: has(3),
        incomplete_metadata: has(4),
        checksums: has(5),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{opaque_session, session};

    #[test]
    fn a_known_set_goes_both_ways() {
        let record = session(1);
        assert_eq!(SessionRecord::decode(&record.encode().unwrap()), Ok(record));
    }

    #[test]
    fn an_opaque_container_goes_both_ways() {
        let record = opaque_session(2);
        assert_eq!(SessionRecord::decode(&record.encode().unwrap()), Ok(record));
    }

    #[test]
    fn every_truncation_is_noticed() {
        let bytes = session(1).encode().unwrap();
        for length in 0..bytes.len() {
            assert!(SessionRecord::decode(&bytes[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn bytes_at_the_end_are_refused_in_this_revision_and_skipped_in_a_later_one() {
        let mut bytes = session(1).encode().unwrap();
        bytes.push(0);
        assert!(matches!(
            SessionRecord::decode(&bytes),
            Err(DecodeError::TrailingBytes { extra: 1, .. })
        ));
        bytes[0] = 2;
        assert_eq!(SessionRecord::decode(&bytes), Ok(session(1)));
    }

    #[test]
    fn a_name_over_the_limit_is_not_written() {
        let mut record = session(1);
        record.database = "x".repeat(1025);
        assert!(matches!(
            record.encode(),
            Err(EncodeError::OverLimit {
                field: "database",
                length: 1025,
                ..
            })
        ));
    }
}
