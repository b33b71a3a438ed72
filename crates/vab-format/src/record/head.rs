//! The first 64 bytes of a record.

use binrw::binrw;
use uuid::Uuid;

use super::RecordKind;
use crate::block::{BlockHeader, open, seal};
use crate::error::{DecodeError, Part};
use crate::limits::{MAX_COMMIT_LENGTH, MAX_INDEX_ENTRIES, MAX_STREAMS};
use crate::{checksum, wire};

/// The first 64 bytes of a record: what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Head {
    /// A block, as its source made it.
    Block(BlockHeader),
    /// A record made by the target.
    Other(RecordHeader),
}

/// The header of a record that the target makes: an index segment or a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct RecordHeader {
    /// What the record is; never [`RecordKind::Block`].
    pub kind: RecordKind,
    /// The session that the record belongs to.
    pub session: Uuid,
    /// The stream of an index segment; 0 in a commit.
    pub stream: u16,
    /// Entries of an index segment; 0 in a commit.
    pub count: u32,
    /// The sequence number of the first entry's block; 0 in a commit.
    pub sequence: u64,
    /// Bytes of the payload.
    pub length: u32,
    /// CRC-32C of the payload.
    pub crc: u32,
}

impl Head {
    /// Reads the first 64 bytes of a record of any kind.
    ///
    /// # Errors
    /// When the bytes begin no record, are damaged, or have a field out of its range.
    pub fn decode(bytes: &[u8; BlockHeader::LENGTH]) -> Result<Self, DecodeError> {
        match RecordKind::of(bytes) {
            Some(RecordKind::Block) => BlockHeader::decode(bytes).map(Self::Block),
            Some(kind) => RecordHeader::decode(kind, bytes).map(Self::Other),
            None => Err(DecodeError::BadMagic {
                part: Part::RecordHeader,
                found: wire::opening(bytes, 4),
            }),
        }
    }

    /// What the record is.
    pub const fn kind(&self) -> RecordKind {
        match self {
            Self::Block(_) => RecordKind::Block,
            Self::Other(header) => header.kind,
        }
    }

    /// The session that the record belongs to.
    pub const fn session(&self) -> Uuid {
        match self {
            Self::Block(header) => header.session,
            Self::Other(header) => header.session,
        }
    }

    /// Bytes of the payload.
    pub const fn payload_length(&self) -> u32 {
        match self {
            Self::Block(header) => header.stored_length,
            Self::Other(header) => header.length,
        }
    }

    /// The bytes of the header, its own checksum included.
    pub fn encode(&self) -> [u8; BlockHeader::LENGTH] {
        match self {
            Self::Block(header) => header.encode(),
            Self::Other(header) => header.encode(),
        }
    }

    /// Checks that `payload` is the payload of this header.
    ///
    /// # Errors
    /// When its length or its checksum is another one.
    pub fn verify(&self, payload: &[u8]) -> Result<(), DecodeError> {
        match self {
            Self::Block(header) => header.verify(payload),
            Self::Other(header) => header.verify(payload),
        }
    }
}

impl RecordHeader {
    /// The bytes of the header, its own checksum included.
    pub fn encode(&self) -> [u8; BlockHeader::LENGTH] {
        seal(&wire::fixed(&Fields {
            magic: self.kind.magic(),
            session: self.session.into_bytes(),
            stream: self.stream,
            count: self.count,
            sequence: self.sequence,
            length: self.length,
            crc: self.crc,
        }))
    }

    fn decode(kind: RecordKind, bytes: &[u8; BlockHeader::LENGTH]) -> Result<Self, DecodeError> {
        let part = Part::RecordHeader;
        let fields: Fields = wire::parse(part, open(part, kind.magic(), bytes)?)?;
        let header = Self {
            kind,
            session: Uuid::from_bytes(fields.session),
            stream: fields.stream,
            count: fields.count,
            sequence: fields.sequence,
            length: fields.length,
            crc: fields.crc,
        };
        for (field, length, limit) in [
            ("stream", header.stream.into(), wire::size(MAX_STREAMS) - 1),
            (
                "entries",
                header.count.into(),
                wire::size(MAX_INDEX_ENTRIES),
            ),
            ("length", header.length.into(), MAX_COMMIT_LENGTH.into()),
        ] {
            if length > limit {
                return Err(DecodeError::OverLimit {
                    part,
                    field,
                    length,
                    limit,
                });
            }
        }
        Ok(header)
    }

    fn verify(&self, payload: &[u8]) -> Result<(), DecodeError> {
        let part = Part::RecordPayload;
        if wire::size(payload.len()) != u64::from(self.length) {
            return Err(DecodeError::Disagrees {
                part,
                field: "length",
                expected: self.length.into(),
                found: wire::size(payload.len()),
            });
        }
        let found = checksum::crc32c(payload);
        if found == self.crc {
            return Ok(());
        }
        Err(DecodeError::Checksum {
            part,
            expected: self.crc,
            found,
        })
    }
}

/// The header as it lies in the file, without its checksum. The fields that it shares with a
/// block header are at the same places.
#[binrw]
#[brw(little)]
struct Fields {
    magic: [u8; 4],
    #[brw(pad_before = 4)]
    session: [u8; 16],
    stream: u16,
    #[brw(pad_before = 2)]
    count: u32,
    sequence: u64,
    #[brw(pad_before = 8)]
    length: u32,
    crc: u32,
}
