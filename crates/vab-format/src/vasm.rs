//! `.VASM`: the metadata of one `.VAB`, beside it and with the same base name.
//!
//! It is replaced as a whole after every commit, and can be made again from its `.VAB`.

use uuid::Uuid;

use crate::envelope;
use crate::error::{DecodeError, EncodeError, Part};
use crate::features::Features;
use crate::limits::{ALIGNMENT, MAX_FILE_LENGTH, MAX_SESSION_RECORD_LENGTH, MAX_SESSIONS};
use crate::record::Position;
use crate::session::SessionRecord;
use crate::vab::{Commit, VabHeader};
use crate::vacm::FileSummary;
use crate::wire::{self, Fields};

const PART: Part = Part::Vasm;
const MAGIC: [u8; 8] = *b"\x89VASM\r\n\x1a";

/// The metadata of one `.VAB`: its header and all its sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Vasm {
    /// What the header of the `.VAB` says.
    pub header: VabHeader,
    /// The committed sessions in the order of their ordinals: the first has ordinal 1.
    pub sessions: Vec<StoredSession>,
}

/// A session and where its commit record is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct StoredSession {
    /// Where the commit record begins in the `.VAB`, a multiple of 4096.
    pub commit_offset: u64,
    /// Its length in bytes, a multiple of 4096.
    pub commit_length: u64,
    /// What the commit says about the session.
    pub record: SessionRecord,
}

impl StoredSession {
    /// Of the commit record at `position` with that length.
    pub fn of(commit: &Commit, position: &Position, length: u64) -> Self {
        Self {
            commit_offset: position.offset,
            commit_length: length,
            record: commit.session.clone(),
        }
    }

    /// Where the commit record ends.
    pub const fn end(&self) -> u64 {
        self.commit_offset.saturating_add(self.commit_length)
    }
}

impl Vasm {
    /// Of a new file without sessions.
    pub const fn of_new(header: VabHeader) -> Self {
        Self {
            header,
            sessions: Vec::new(),
        }
    }

    /// The committed length of the `.VAB` in bytes.
    pub fn committed_length(&self) -> u64 {
        self.sessions
            .last()
            .map_or(self.header.data_start, StoredSession::end)
    }

    /// Where the commit record of the session with that ordinal is due in the `.VAB`.
    pub fn commit_position(&self, ordinal: u64) -> Option<Position> {
        let at = usize::try_from(ordinal.checked_sub(1)?).ok()?;
        let session = self.sessions.get(at)?;
        Some(Position {
            file: self.header.file,
            offset: session.commit_offset,
            ordinal,
        })
    }

    /// What a `.VACM` says about this file, whose `.VAB` has that name.
    pub fn summary(&self, name: impl Into<String>) -> FileSummary {
        FileSummary {
            file: self.header.file,
            name: name.into(),
            database: self.header.database.clone(),
            created: self.header.created,
            encrypted: self.header.features.is_encrypted(),
            format_version: crate::FORMAT_VERSION,
            committed_length: self.committed_length(),
            sessions: wire::size(self.sessions.len()),
        }
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// When a name or the list of sessions is longer than its limit.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let header = &self.header;
        let mut out = envelope::begin(MAGIC, header.features);
        out.extend_from_slice(header.file.as_bytes());
        out.extend_from_slice(header.job_id.as_bytes());
        out.extend_from_slice(&header.created.to_le_bytes());
        out.extend_from_slice(&header.data_start.to_le_bytes());
        out.extend_from_slice(&self.committed_length().to_le_bytes());
        wire::put_name(&mut out, PART, "job", &header.job)?;
        wire::put_name(&mut out, PART, "database", &header.database)?;
        let (count, limit) = (self.sessions.len(), MAX_SESSIONS.into());
        wire::put_count(&mut out, PART, "sessions", count, limit)?;
        for session in &self.sessions {
            session.encode(&mut out)?;
        }
        Ok(envelope::seal(out))
    }

    /// Reads the file.
    ///
    /// # Errors
    /// When the bytes are no `.VASM`, are cut short or damaged, or were made by a later version.
    pub fn decode(file: &[u8]) -> Result<Self, DecodeError> {
        let (features, body) = envelope::open(PART, MAGIC, file)?;
        let mut fields = Fields::new(PART, body);
        let (header, committed_length) = Self::header(&mut fields, features)?;
        let count = fields.count("sessions", MAX_SESSIONS.into())?;
        // A session takes more than 64 bytes: nothing is allocated that the file does not fill.
        let mut sessions = Vec::with_capacity(count.min(fields.rest().len() / 64));
        let mut end = header.data_start;
        for _ in 0..count {
            let session = StoredSession::decode(&mut fields, end)?;
            end = session.end();
            sessions.push(session);
        }
        fields.finish()?;
        if committed_length != end {
            return Err(DecodeError::Disagrees {
                part: PART,
                field: "committed length",
                expected: end,
                found: committed_length,
            });
        }
        Ok(Self { header, sessions })
    }

    fn header(
        fields: &mut Fields<'_>,
        features: Features,
    ) -> Result<(VabHeader, u64), DecodeError> {
        let (file, job_id): (Uuid, Uuid) = (fields.uuid()?, fields.uuid()?);
        let created = fields.i64()?;
        let data_start = fields.u64()?;
        crate::vab::check_data_start(PART, data_start, features)?;
        let committed_length = fields.u64()?;
        let header = VabHeader {
            file,
            job_id,
            job: fields.name("job")?,
            database: fields.name("database")?,
            created,
            data_start,
            features,
        };
        Ok((header, committed_length))
    }
}

impl StoredSession {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend_from_slice(&self.commit_offset.to_le_bytes());
        out.extend_from_slice(&self.commit_length.to_le_bytes());
        let record = self.record.encode()?;
        let limit = MAX_SESSION_RECORD_LENGTH as u64;
        wire::put_count(out, PART, "session record", record.len(), limit)?;
        out.extend_from_slice(&record);
        Ok(())
    }

    fn decode(fields: &mut Fields<'_>, after: u64) -> Result<Self, DecodeError> {
        let commit_offset = fields.u64()?;
        let commit_length = fields.u64()?;
        let offset_fits =
            commit_offset.is_multiple_of(ALIGNMENT) && commit_offset <= MAX_FILE_LENGTH;
        if !offset_fits || commit_offset < after {
            return Err(fields.invalid("offset of a commit", commit_offset));
        }
        let length_fits =
            commit_length.is_multiple_of(ALIGNMENT) && commit_length <= MAX_COMMIT_RECORD;
        if !length_fits || commit_length == 0 {
            return Err(fields.invalid("length of a commit", commit_length));
        }
        let length = fields.count("session record", MAX_SESSION_RECORD_LENGTH as u64)?;
        Ok(Self {
            commit_offset,
            commit_length,
            record: SessionRecord::decode(fields.take(length)?)?,
        })
    }
}

const MAX_COMMIT_RECORD: u64 =
    crate::record::length(crate::limits::MAX_COMMIT_LENGTH + crate::record::Trailer::BYTES);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{header, opaque_session, session};

    fn vasm() -> Vasm {
        let mut vasm = Vasm::of_new(header());
        for (commit_offset, record) in [(8192, session(1)), (16384, opaque_session(2))] {
            vasm.sessions.push(StoredSession {
                commit_offset,
                commit_length: 4096,
                record,
            });
        }
        vasm
    }

    #[test]
    fn goes_both_ways() {
        assert_eq!(Vasm::decode(&vasm().encode().unwrap()), Ok(vasm()));
    }

    #[test]
    fn a_file_without_sessions_goes_both_ways() {
        let vasm = Vasm::of_new(header());
        assert_eq!(vasm.committed_length(), 4096);
        assert_eq!(Vasm::decode(&vasm.encode().unwrap()), Ok(vasm));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let mut bytes = vasm().encode().unwrap();
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Vasm::decode(&bytes).is_err(), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn every_truncation_is_noticed() {
        let bytes = vasm().encode().unwrap();
        for length in 0..bytes.len() {
            assert!(Vasm::decode(&bytes[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn a_file_with_more_behind_it_is_refused() {
        let mut bytes = vasm().encode().unwrap();
        bytes.push(0);
        assert!(Vasm::decode(&bytes).is_err());
    }

    #[test]
    fn commits_must_follow_each_other() {
        let mut vasm = vasm();
        vasm.sessions[1].commit_offset = 8192;
        assert!(matches!(
            Vasm::decode(&vasm.encode().unwrap()),
            Err(DecodeError::InvalidValue {
                field: "offset of a commit",
                found: 8192,
                ..
            })
        ));
    }

    #[test]
    fn an_unknown_incompatible_feature_is_refused() {
        let mut vasm = vasm();
        vasm.header.features.incompatible = 4;
        assert!(matches!(
            Vasm::decode(&vasm.encode().unwrap()),
            Err(DecodeError::UnknownFeatures { unknown: 4, .. })
        ));
    }

    #[test]
    fn the_commit_of_a_session_is_found_by_its_ordinal() {
        let position = vasm().commit_position(2).unwrap();
        assert_eq!((position.offset, position.ordinal), (16384, 2));
        assert_eq!(vasm().commit_position(0), None);
        assert_eq!(vasm().commit_position(3), None);
    }
}
