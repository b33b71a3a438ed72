//! The first 4096 bytes of a `.VAB`. Written once, never changed.

use binrw::binrw;
use uuid::Uuid;

use crate::error::{DecodeError, EncodeError, Part};
use crate::features::{Features, StoredFeatures};
use crate::limits::ALIGNMENT;
use crate::{FORMAT_VERSION, checksum, wire};

const PART: Part = Part::VabHeader;

/// The header of a `.VAB`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct VabHeader {
    /// The identity of the file; every record in it repeats it.
    pub file: Uuid,
    /// The identity of the job.
    pub job_id: Uuid,
    /// The name of the job.
    pub job: String,
    /// The name of the database that the file was made for.
    pub database: String,
    /// When the file was made: microseconds since 1970, UTC, the repository's clock.
    pub created: i64,
    /// Where the first record begins, a multiple of 4096. What lies between the header and it is
    /// room for key slots.
    pub data_start: u64,
    /// What the file has beyond its format version.
    pub features: Features,
}

impl VabHeader {
    /// The encoded length in bytes.
    pub const LENGTH: usize = Self::BYTES as usize;

    const BYTES: u32 = 4096;

    const MAGIC: [u8; 8] = *b"\x89VAB\r\n\x1a\n";
    const MAX_DATA_START: u64 = 1 << 20;

    /// The header of a new file that is not encrypted, made at that moment (microseconds since
    /// 1970, UTC). `file` must be an identity that no other file has.
    pub fn new(
        file: Uuid,
        job_id: Uuid,
        job: impl Into<String>,
        database: impl Into<String>,
        created: i64,
    ) -> Self {
        Self {
            file,
            job_id,
            job: job.into(),
            database: database.into(),
            created,
            data_start: Self::LENGTH as u64,
            features: Features::NONE,
        }
    }

    /// The same, but for an encrypted file: with the feature flag, and room for key slots.
    #[must_use]
    pub fn encrypted(mut self) -> Self {
        self.features.incompatible |= Features::ENCRYPTED;
        self.data_start = crate::vab::KeyArea::RANGE.end;
        self
    }

    /// The bytes of the header.
    ///
    /// # Errors
    /// When a name is longer than its limit.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut bytes = wire::fixed::<{ Fields::LENGTH }, _>(&Fields {
            magic: Self::MAGIC,
            version: FORMAT_VERSION,
            length: Self::BYTES,
            features: self.features.into(),
            file: self.file.into_bytes(),
            job_id: self.job_id.into_bytes(),
            created: self.created,
            data_start: self.data_start,
        })
        .to_vec();
        wire::put_name(&mut bytes, PART, "job", &self.job)?;
        wire::put_name(&mut bytes, PART, "database", &self.database)?;
        bytes.resize(Self::LENGTH - 4, 0);
        let crc = checksum::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        Ok(bytes)
    }

    /// Reads the header from the first bytes of a file; what follows them is not looked at.
    ///
    /// # Errors
    /// When the bytes are cut short, are no header, are damaged, or were made by a later version.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if !bytes.starts_with(&Self::MAGIC) {
            return Err(DecodeError::BadMagic {
                part: PART,
                found: wire::opening(bytes, 8),
            });
        }
        let Some((bytes, _)) = bytes.split_first_chunk::<{ Self::LENGTH }>() else {
            return Err(DecodeError::Truncated {
                part: PART,
                needed: Self::LENGTH as u64,
                found: wire::size(bytes.len()),
            });
        };
        let (covered, crc) = bytes.split_at(Self::LENGTH - 4);
        let expected = crc.try_into().map_or(0, u32::from_le_bytes);
        let found = checksum::crc32c(covered);
        if expected != found {
            return Err(DecodeError::Checksum {
                part: PART,
                expected,
                found,
            });
        }
        let mut rest = wire::Fields::new(PART, covered);
        let fields: Fields = rest.record(Fields::LENGTH)?;
        if fields.version == 0 || fields.version > FORMAT_VERSION {
            return Err(DecodeError::UnsupportedVersion {
                part: PART,
                found: fields.version,
                supported: FORMAT_VERSION,
            });
        }
        if fields.length != Self::BYTES {
            return Err(rest.invalid("length", fields.length.into()));
        }
        let features = Features::from(fields.features);
        features.check_readable(PART)?;
        check_data_start(PART, fields.data_start, features)?;
        Ok(Self {
            file: Uuid::from_bytes(fields.file),
            job_id: Uuid::from_bytes(fields.job_id),
            job: rest.name("job")?,
            database: rest.name("database")?,
            created: fields.created,
            data_start: fields.data_start,
            features,
        })
    }
}

pub(crate) fn check_data_start(
    part: Part,
    found: u64,
    features: Features,
) -> Result<(), DecodeError> {
    let least = if features.is_encrypted() {
        crate::vab::KeyArea::RANGE.end
    } else {
        VabHeader::LENGTH as u64
    };
    let aligned = found.is_multiple_of(ALIGNMENT);
    if aligned && (least..=VabHeader::MAX_DATA_START).contains(&found) {
        return Ok(());
    }
    Err(DecodeError::InvalidValue {
        part,
        field: "start of data",
        found,
    })
}

/// The header's fields of fixed length as they lie in the file.
#[binrw]
#[brw(little)]
struct Fields {
    magic: [u8; 8],
    version: u16,
    #[brw(pad_before = 2)]
    length: u32,
    features: StoredFeatures,
    file: [u8; 16],
    job_id: [u8; 16],
    created: i64,
    data_start: u64,
}

impl Fields {
    const LENGTH: usize = 88;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::header;

    #[test]
    fn goes_both_ways() {
        assert_eq!(VabHeader::decode(&header().encode().unwrap()), Ok(header()));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let mut bytes = header().encode().unwrap();
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(VabHeader::decode(&bytes).is_err(), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn every_truncation_is_noticed() {
        let bytes = header().encode().unwrap();
        for length in 0..bytes.len() {
            assert!(VabHeader::decode(&bytes[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn a_later_version_is_refused_by_name() {
        let mut bytes = header().encode().unwrap();
        bytes[8] = 2;
        let crc = checksum::crc32c(&bytes[..4092]);
        bytes[4092..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(
            VabHeader::decode(&bytes),
            Err(DecodeError::UnsupportedVersion {
                part: PART,
                found: 2,
                supported: 1
            })
        );
    }

    #[test]
    fn an_unknown_incompatible_feature_is_refused_by_name() {
        let mut header = header();
        header.features.incompatible = 1 << 40;
        assert_eq!(
            VabHeader::decode(&header.encode().unwrap()),
            Err(DecodeError::UnknownFeatures {
                part: PART,
                unknown: 1 << 40
            })
        );
    }

    #[test]
    fn data_must_start_at_a_record_boundary() {
        for data_start in [0, 100, 4097, 2 << 20] {
            let header = VabHeader {
                data_start,
                ..header()
            };
            assert!(VabHeader::decode(&header.encode().unwrap()).is_err());
        }
    }
}
