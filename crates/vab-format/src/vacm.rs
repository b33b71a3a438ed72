//! `.VACM`: the metadata of one job. It can be made again from the `.VASM` files of its folder.

use uuid::Uuid;

use crate::envelope;
use crate::error::{DecodeError, EncodeError, Part};
use crate::features::Features;
use crate::limits::MAX_FILES;
use crate::wire::{self, Fields};

const PART: Part = Part::Vacm;
const MAGIC: [u8; 8] = *b"\x89VACM\r\n\x1a";

/// The metadata of one job.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Vacm {
    /// The identity of the job.
    pub job_id: Uuid,
    /// The name of the job.
    pub job: String,
    /// The `.VAB` files of the job.
    pub files: Vec<FileSummary>,
}

/// What a `.VACM` says about a `.VAB`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct FileSummary {
    /// The identity of the file.
    pub file: Uuid,
    /// Its name in the folder of the job.
    pub name: String,
    /// The database that it was made for.
    pub database: String,
    /// When it was made: microseconds since 1970, UTC, the repository's clock.
    pub created: i64,
    /// Whether its payloads are encrypted.
    pub encrypted: bool,
    /// The version of its format.
    pub format_version: u16,
    /// Its committed length in bytes.
    pub committed_length: u64,
    /// How many sessions are committed in it.
    pub sessions: u64,
}

impl Vacm {
    /// The bytes of the file.
    ///
    /// # Errors
    /// When a name or the list of files is longer than its limit.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut out = envelope::begin(MAGIC, Features::NONE);
        out.extend_from_slice(self.job_id.as_bytes());
        wire::put_name(&mut out, PART, "job", &self.job)?;
        wire::put_count(&mut out, PART, "files", self.files.len(), MAX_FILES.into())?;
        for file in &self.files {
            file.encode(&mut out)?;
        }
        Ok(envelope::seal(out))
    }

    /// Reads the file.
    ///
    /// # Errors
    /// When the bytes are no `.VACM`, are cut short or damaged, or were made by a later version.
    pub fn decode(file: &[u8]) -> Result<Self, DecodeError> {
        let (_, body) = envelope::open(PART, MAGIC, file)?;
        let mut fields = Fields::new(PART, body);
        let job_id = fields.uuid()?;
        let job = fields.name("job")?;
        let count = fields.count("files", MAX_FILES.into())?;
        let mut files = Vec::with_capacity(count.min(fields.rest().len() / FileSummary::MIN));
        for _ in 0..count {
            files.push(FileSummary::decode(&mut fields)?);
        }
        fields.finish()?;
        Ok(Self { job_id, job, files })
    }
}

impl FileSummary {
    /// The least encoded length in bytes.
    const MIN: usize = 48;

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend_from_slice(self.file.as_bytes());
        out.extend_from_slice(&self.created.to_le_bytes());
        out.extend_from_slice(&self.committed_length.to_le_bytes());
        out.extend_from_slice(&self.sessions.to_le_bytes());
        out.extend_from_slice(&self.format_version.to_le_bytes());
        out.extend_from_slice(&u16::from(self.encrypted).to_le_bytes());
        wire::put_name(out, PART, "file name", &self.name)?;
        wire::put_name(out, PART, "database", &self.database)
    }

    fn decode(fields: &mut Fields<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            file: fields.uuid()?,
            created: fields.i64()?,
            committed_length: fields.u64()?,
            sessions: fields.u64()?,
            format_version: fields.u16()?,
            encrypted: match fields.u16()? {
                0 => false,
                1 => true,
                other => return Err(fields.invalid("encryption", other.into())),
            },
            name: fields.name("file name")?,
            database: fields.name("database")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::header;
    use crate::vasm::Vasm;

    fn vacm() -> Vacm {
        let vasm = Vasm::of_new(header());
        Vacm {
            job_id: vasm.header.job_id,
            job: vasm.header.job.clone(),
            files: vec![vasm.summary("a.VAB"), vasm.summary("b.VAB")],
        }
    }

    #[test]
    fn goes_both_ways() {
        assert_eq!(Vacm::decode(&vacm().encode().unwrap()), Ok(vacm()));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let mut bytes = vacm().encode().unwrap();
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Vacm::decode(&bytes).is_err(), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn every_truncation_is_noticed() {
        let bytes = vacm().encode().unwrap();
        for length in 0..bytes.len() {
            assert!(Vacm::decode(&bytes[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn a_vasm_is_no_vacm() {
        let bytes = Vasm::of_new(header()).encode().unwrap();
        assert!(matches!(
            Vacm::decode(&bytes),
            Err(DecodeError::BadMagic { .. })
        ));
    }
}
