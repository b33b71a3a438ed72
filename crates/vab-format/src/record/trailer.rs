//! The last 64 bytes of a commit record, by which a reader finds it from the end of the file.

use binrw::binrw;
use uuid::Uuid;

use crate::error::{DecodeError, Part};
use crate::limits::{ALIGNMENT, MAX_FILE_LENGTH};
use crate::{checksum, wire};

const PART: Part = Part::Trailer;

/// The last 64 bytes of a commit record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Trailer {
    /// The identity of the file.
    pub file: Uuid,
    /// Where the commit record begins, a multiple of 4096.
    pub offset: u64,
    /// Its length with frame, padding and this trailer, a multiple of 4096.
    pub length: u64,
    /// The number of the session in the file, from 1.
    pub ordinal: u64,
    /// CRC-32C of the commit's payload, as its header has it.
    pub payload_crc: u32,
}

impl Trailer {
    /// The encoded length in bytes.
    pub const LENGTH: usize = Self::BYTES as usize;

    pub(crate) const BYTES: u32 = 64;

    const MAGIC: [u8; 8] = *b"VABTAIL\0";

    /// The bytes of the trailer.
    pub fn encode(&self) -> [u8; Self::LENGTH] {
        let fields: [u8; Fields::LENGTH] = wire::fixed(&Fields {
            magic: Self::MAGIC,
            file: self.file.into_bytes(),
            offset: self.offset,
            length: self.length,
            ordinal: self.ordinal,
            payload_crc: self.payload_crc,
        });
        let mut bytes = [0; Self::LENGTH];
        if let Some((first, crc)) = bytes.split_first_chunk_mut() {
            *first = fields;
            crc.copy_from_slice(&checksum::crc32c(&fields).to_le_bytes());
        }
        bytes
    }

    /// Reads a trailer, wherever it may belong.
    ///
    /// # Errors
    /// When the bytes are no trailer, are damaged, or have a field out of its range.
    pub fn decode(bytes: &[u8; Self::LENGTH]) -> Result<Self, DecodeError> {
        if !bytes.starts_with(&Self::MAGIC) {
            return Err(DecodeError::BadMagic {
                part: PART,
                found: wire::opening(bytes, 8),
            });
        }
        let (covered, crc) = bytes.split_at(Fields::LENGTH);
        let expected = crc.try_into().map_or(0, u32::from_le_bytes);
        let found = checksum::crc32c(covered);
        if expected != found {
            return Err(DecodeError::Checksum {
                part: PART,
                expected,
                found,
            });
        }
        let fields: Fields = wire::parse(PART, covered)?;
        for (field, found) in [("offset", fields.offset), ("length", fields.length)] {
            if !found.is_multiple_of(ALIGNMENT) || found == 0 || found > MAX_FILE_LENGTH {
                return Err(DecodeError::InvalidValue {
                    part: PART,
                    field,
                    found,
                });
            }
        }
        Ok(Self {
            file: Uuid::from_bytes(fields.file),
            offset: fields.offset,
            length: fields.length,
            ordinal: fields.ordinal,
            payload_crc: fields.payload_crc,
        })
    }

    /// Reads the trailer of a commit record of `file` that ends at `end`, from the bytes before
    /// `end` (at least 64; with direct IO, the last 4096).
    ///
    /// # Errors
    /// As [`Trailer::decode`], and when the trailer was made for another file or place. None of
    /// these is damage by itself: a file that ends in a torn session has no trailer there.
    pub fn decode_before(bytes: &[u8], file: Uuid, end: u64) -> Result<Self, DecodeError> {
        let last = bytes.last_chunk().ok_or(DecodeError::Truncated {
            part: PART,
            needed: Self::LENGTH as u64,
            found: wire::size(bytes.len()),
        })?;
        let trailer = Self::decode(last)?;
        if trailer.file != file {
            return Err(DecodeError::ForeignFile {
                expected: file,
                found: trailer.file,
            });
        }
        if trailer.end() != end {
            return Err(DecodeError::Misplaced {
                expected: end,
                found: trailer.end(),
            });
        }
        Ok(trailer)
    }

    /// Where the commit record ends: the committed length of the file.
    pub const fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }
}

/// The trailer as it lies in the file, without its checksum.
#[binrw]
#[brw(little)]
struct Fields {
    magic: [u8; 8],
    file: [u8; 16],
    offset: u64,
    length: u64,
    ordinal: u64,
    #[brw(pad_after = 8)]
    payload_crc: u32,
}

impl Fields {
    const LENGTH: usize = 60;
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRAILER: Trailer = Trailer {
        file: Uuid::from_u128(5),
        offset: 8192,
        length: 4096,
        ordinal: 3,
        payload_crc: 77,
    };

    #[test]
    fn goes_both_ways() {
        assert_eq!(Trailer::decode(&TRAILER.encode()), Ok(TRAILER));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let bytes = TRAILER.encode();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Trailer::decode(&damaged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_copy_at_another_place_or_in_another_file_is_refused() {
        let bytes = TRAILER.encode();
        assert_eq!(
            Trailer::decode_before(&bytes, TRAILER.file, 12288),
            Ok(TRAILER)
        );
        assert_eq!(
            Trailer::decode_before(&bytes, TRAILER.file, 16384),
            Err(DecodeError::Misplaced {
                expected: 16384,
                found: 12288
            })
        );
        assert!(matches!(
            Trailer::decode_before(&bytes, Uuid::from_u128(6), 12288),
            Err(DecodeError::ForeignFile { .. })
        ));
    }
}
