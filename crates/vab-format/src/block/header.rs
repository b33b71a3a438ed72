//! The header of a block, made by the source and never changed afterwards.

use binrw::binrw;
use uuid::Uuid;

use super::{BlockFlags, Codec};
use crate::error::{DecodeError, Part};
use crate::limits::{MAX_BLOCK_LENGTH, MAX_STORED_LENGTH, MAX_STREAMS};
use crate::{checksum, wire};

/// The header of a block: what it is, where it belongs in its stream, and the checksums of its
/// payload.
///
/// The encoded header and the payload travel unchanged from the source into the file and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct BlockHeader {
    /// The session that the block belongs to.
    pub session: Uuid,
    /// The stream in the session, from 0.
    pub stream: u16,
    /// The number of the block in its stream, from 0, without gaps.
    pub sequence: u64,
    /// Where the block's raw bytes begin in the stream, in bytes.
    pub offset: u64,
    /// Raw bytes that the block holds, 1 to [`MAX_BLOCK_LENGTH`].
    pub raw_length: u32,
    /// Bytes of the payload, 1 to [`MAX_STORED_LENGTH`].
    pub stored_length: u32,
    /// How the payload is compressed.
    pub codec: Codec,
    /// Marks on the block.
    pub flags: BlockFlags,
    /// CRC-32C of the payload.
    pub stored_crc: u32,
    /// CRC-32C of the raw bytes; 0 when the block is encrypted.
    pub raw_crc: u32,
}

impl BlockHeader {
    /// The encoded length in bytes.
    pub const LENGTH: usize = 64;

    pub(crate) const MAGIC: [u8; 4] = *b"VBLK";

    /// The header of a block that is stored as it is: not compressed, not encrypted.
    ///
    /// `payload` holds 1 to [`MAX_BLOCK_LENGTH`] bytes; a header made for another length is
    /// refused by [`BlockHeader::decode`].
    pub fn for_raw(session: Uuid, stream: u16, sequence: u64, offset: u64, payload: &[u8]) -> Self {
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let crc = checksum::crc32c(payload);
        Self::for_checksum(session, stream, sequence, offset, (length, crc))
    }

    /// The header of a block that is stored as it is, for who has counted its bytes and put their
    /// checksum together while they came.
    pub const fn for_checksum(
        session: Uuid,
        stream: u16,
        sequence: u64,
        offset: u64,
        (length, crc): (u32, u32),
    ) -> Self {
        Self {
            session,
            stream,
            sequence,
            offset,
            raw_length: length,
            stored_length: length,
            codec: Codec::Raw,
            flags: BlockFlags::NONE,
            stored_crc: crc,
            raw_crc: crc,
        }
    }

    /// The bytes of the header, its own checksum included.
    pub fn encode(&self) -> [u8; Self::LENGTH] {
        let fields: [u8; Fields::LENGTH] = wire::fixed(&Fields::from(self));
        seal(&fields)
    }

    /// Reads a header.
    ///
    /// # Errors
    /// When the bytes are no header, are damaged, or have a field out of its range.
    pub fn decode(bytes: &[u8; Self::LENGTH]) -> Result<Self, DecodeError> {
        let header = Self::unchecked(open(Part::BlockHeader, Self::MAGIC, bytes)?)?;
        header.check()?;
        Ok(header)
    }

    /// Checks that `payload` is the payload of this header.
    ///
    /// # Errors
    /// When its length or its checksum is another one.
    pub fn verify(&self, payload: &[u8]) -> Result<(), DecodeError> {
        let part = Part::BlockPayload;
        if wire::size(payload.len()) != u64::from(self.stored_length) {
            return Err(DecodeError::Disagrees {
                part,
                field: "length",
                expected: self.stored_length.into(),
                found: wire::size(payload.len()),
            });
        }
        let found = checksum::crc32c(payload);
        if found == self.stored_crc {
            return Ok(());
        }
        Err(DecodeError::Checksum {
            part,
            expected: self.stored_crc,
            found,
        })
    }

    /// Whether the payload is encrypted.
    pub const fn is_encrypted(&self) -> bool {
        self.flags.contains(BlockFlags::ENCRYPTED)
    }

    /// Where the raw bytes end in the stream.
    pub const fn end(&self) -> u64 {
        self.offset.saturating_add(self.raw_length as u64)
    }

    fn unchecked(bytes: &[u8; Self::LENGTH]) -> Result<Self, DecodeError> {
        let part = Part::BlockHeader;
        let fields: Fields = wire::parse(part, bytes)?;
        Ok(Self {
            session: Uuid::from_bytes(fields.session),
            stream: fields.stream,
            sequence: fields.sequence,
            offset: fields.offset,
            raw_length: fields.raw_length,
            stored_length: fields.stored_length,
            codec: Codec::from_number(fields.codec).ok_or(DecodeError::InvalidValue {
                part,
                field: "codec",
                found: fields.codec.into(),
            })?,
            flags: BlockFlags::from_bits(fields.flags).ok_or(DecodeError::InvalidValue {
                part,
                field: "flags",
                found: fields.flags.into(),
            })?,
            stored_crc: fields.stored_crc,
            raw_crc: fields.raw_crc,
        })
    }

    /// Checks that every field is in its range, as [`BlockHeader::decode`] does.
    ///
    /// # Errors
    /// The first field that is not.
    pub fn check(&self) -> Result<(), DecodeError> {
        let stored_limit = if self.is_encrypted() {
            MAX_STORED_LENGTH
        } else {
            MAX_BLOCK_LENGTH
        };
        within(
            "raw length",
            self.raw_length.into(),
            MAX_BLOCK_LENGTH.into(),
        )?;
        within(
            "stored length",
            self.stored_length.into(),
            stored_limit.into(),
        )?;
        within("stream", self.stream.into(), wire::size(MAX_STREAMS) - 1)?;
        let invalid = |field, found| {
            Err(DecodeError::InvalidValue {
                part: Part::BlockHeader,
                field,
                found,
            })
        };
        if self.raw_length == 0 {
            return invalid("raw length", 0);
        }
        if self.stored_length == 0 {
            return invalid("stored length", 0);
        }
        if self.offset.checked_add(self.raw_length.into()).is_none() {
            return invalid("offset", self.offset);
        }
        // Each block before holds at least one byte.
        if self.sequence > self.offset {
            return invalid("sequence", self.sequence);
        }
        if self.codec == Codec::Raw && !self.is_encrypted() {
            if self.stored_length != self.raw_length {
                return invalid("stored length", self.stored_length.into());
            }
            if self.stored_crc != self.raw_crc {
                return invalid("raw checksum", self.raw_crc.into());
            }
        }
        if self.is_encrypted() && self.raw_crc != 0 {
            return invalid("raw checksum", self.raw_crc.into());
        }
        Ok(())
    }
}

fn within(field: &'static str, length: u64, limit: u64) -> Result<(), DecodeError> {
    if length <= limit {
        return Ok(());
    }
    Err(DecodeError::OverLimit {
        part: Part::BlockHeader,
        field,
        length,
        limit,
    })
}

/// The first 60 bytes of a header followed by their checksum.
pub(crate) fn seal(fields: &[u8; Fields::LENGTH]) -> [u8; BlockHeader::LENGTH] {
    let mut bytes = [0; BlockHeader::LENGTH];
    if let Some((head, crc)) = bytes.split_first_chunk_mut() {
        *head = *fields;
        crc.copy_from_slice(&checksum::crc32c(fields).to_le_bytes());
    }
    bytes
}

/// Checks the magic and the checksum of a sealed header.
pub(crate) fn open(
    part: Part,
    magic: [u8; 4],
    bytes: &[u8; BlockHeader::LENGTH],
) -> Result<&[u8; BlockHeader::LENGTH], DecodeError> {
    if !bytes.starts_with(&magic) {
        return Err(DecodeError::BadMagic {
            part,
            found: wire::opening(bytes, magic.len()),
        });
    }
    let (fields, crc) = bytes.split_at(Fields::LENGTH);
    let expected = crc.try_into().map_or(0, u32::from_le_bytes);
    let found = checksum::crc32c(fields);
    if expected != found {
        return Err(DecodeError::Checksum {
            part,
            expected,
            found,
        });
    }
    Ok(bytes)
}

/// The header as it lies in the file, without its checksum.
#[binrw]
#[brw(little)]
struct Fields {
    magic: [u8; 4],
    codec: u8,
    #[brw(pad_before = 1)]
    flags: u16,
    session: [u8; 16],
    stream: u16,
    #[brw(pad_before = 2)]
    raw_length: u32,
    sequence: u64,
    offset: u64,
    stored_length: u32,
    stored_crc: u32,
    raw_crc: u32,
}

impl Fields {
    const LENGTH: usize = 60;
}

impl From<&BlockHeader> for Fields {
    fn from(header: &BlockHeader) -> Self {
        Self {
            magic: BlockHeader::MAGIC,
            codec: header.codec.number(),
            flags: header.flags.bits(),
            session: header.session.into_bytes(),
            stream: header.stream,
            raw_length: header.raw_length,
            sequence: header.sequence,
            offset: header.offset,
            stored_length: header.stored_length,
            stored_crc: header.stored_crc,
            raw_crc: header.raw_crc,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> BlockHeader {
        BlockHeader::for_raw(Uuid::from_u128(7), 2, 5, 5_000_000, b"some bytes")
    }

    #[test]
    fn goes_both_ways() {
        assert_eq!(BlockHeader::decode(&header().encode()), Ok(header()));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let bytes = header().encode();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(BlockHeader::decode(&damaged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_payload_that_changed_is_noticed() {
        assert_eq!(header().verify(b"some bytes"), Ok(()));
        assert!(matches!(
            header().verify(b"some bytez"),
            Err(DecodeError::Checksum { .. })
        ));
        assert!(matches!(
            header().verify(b"some byte"),
            Err(DecodeError::Disagrees { .. })
        ));
    }

    #[test]
    fn a_length_over_the_limit_is_refused() {
        let header = BlockHeader {
            stored_length: MAX_BLOCK_LENGTH + 1,
            ..header()
        };
        assert_eq!(
            BlockHeader::decode(&header.encode()),
            Err(DecodeError::OverLimit {
                part: Part::BlockHeader,
                field: "stored length",
                length: (MAX_BLOCK_LENGTH + 1).into(),
                limit: MAX_BLOCK_LENGTH.into(),
            })
        );
    }

    #[test]
    fn an_empty_block_is_refused() {
        let header = BlockHeader::for_raw(Uuid::from_u128(7), 0, 0, 0, b"");
        assert!(BlockHeader::decode(&header.encode()).is_err());
    }
}
