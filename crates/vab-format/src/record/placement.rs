//! Where the target put a record.

use binrw::binrw;
use uuid::Uuid;

use crate::error::{DecodeError, Part};
use crate::limits::{ALIGNMENT, MAX_FILE_LENGTH};
use crate::{checksum, wire};

/// Where the target put a record. A write that was lost, went to another place, or is left over
/// from an earlier session shows by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Placement {
    /// The file that the record was made for.
    pub file: Uuid,
    /// Where it begins in the file, a multiple of 4096.
    pub offset: u64,
    /// Its length with frame and padding, a multiple of 4096.
    pub length: u64,
    /// The number of its session in the file: 1 for the first that was committed or tried, one
    /// more than the last committed one for every further.
    pub ordinal: u64,
}

impl Placement {
    /// The encoded length in bytes.
    pub const LENGTH: usize = 64;

    /// The 64 bytes behind `head`. Their checksum covers the head too, so the two cannot be mixed
    /// up.
    pub fn encode(&self, head: &[u8; 64]) -> [u8; Self::LENGTH] {
        let fields: [u8; Fields::LENGTH] = wire::fixed(&Fields {
            file: self.file.into_bytes(),
            offset: self.offset,
            length: self.length,
            ordinal: self.ordinal,
        });
        let mut bytes = [0; Self::LENGTH];
        if let Some((at, crc)) = bytes.split_first_chunk_mut() {
            *at = fields;
            crc.copy_from_slice(&checksum_of(head, &fields).to_le_bytes());
        }
        bytes
    }

    /// Reads the 64 bytes behind `head`.
    ///
    /// # Errors
    /// When they are damaged or belong to another head, or when a field is out of its range.
    pub fn decode(head: &[u8; 64], bytes: &[u8; Self::LENGTH]) -> Result<Self, DecodeError> {
        let part = Part::Placement;
        let (fields, crc) = bytes.split_at(Fields::LENGTH);
        let expected = crc.try_into().map_or(0, u32::from_le_bytes);
        let found = checksum_of(head, fields);
        if expected != found {
            return Err(DecodeError::Checksum {
                part,
                expected,
                found,
            });
        }
        let fields: Fields = wire::parse(part, fields)?;
        for (field, found) in [("offset", fields.offset), ("length", fields.length)] {
            if !found.is_multiple_of(ALIGNMENT) || found == 0 || found > MAX_FILE_LENGTH {
                return Err(DecodeError::InvalidValue { part, field, found });
            }
        }
        if fields.ordinal == 0 {
            return Err(DecodeError::InvalidValue {
                part,
                field: "ordinal",
                found: 0,
            });
        }
        Ok(Self {
            file: Uuid::from_bytes(fields.file),
            offset: fields.offset,
            length: fields.length,
            ordinal: fields.ordinal,
        })
    }

    /// Where the next record begins.
    pub const fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }
}

fn checksum_of(head: &[u8; 64], fields: &[u8]) -> u32 {
    checksum::append(checksum::crc32c(head), fields)
}

/// The placement as it lies in the file, without its checksum.
#[binrw]
#[brw(little)]
struct Fields {
    file: [u8; 16],
    offset: u64,
    length: u64,
    #[brw(pad_after = 20)]
    ordinal: u64,
}

impl Fields {
    const LENGTH: usize = 60;
}
