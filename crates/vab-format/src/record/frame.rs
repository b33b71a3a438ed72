//! The 128 bytes at the start of a record.

use uuid::Uuid;

use super::{Head, Placement, RecordKind, Trailer};
use crate::block::BlockHeader;
use crate::error::{DecodeError, Part};
use crate::wire;

/// The length of a frame in bytes: head and placement.
pub const FRAME_LENGTH: usize = BlockHeader::LENGTH + Placement::LENGTH;

/// The length of a record with a payload of that many bytes: frame, payload and padding.
///
/// ```
/// assert_eq!(vab_format::record::length(1), 4096);
/// assert_eq!(vab_format::record::length(3968), 4096);
/// assert_eq!(vab_format::record::length(3969), 8192);
/// ```
pub const fn length(payload: u32) -> u64 {
    wire::align(FRAME_LENGTH as u64 + payload as u64)
}

/// The place that a record is due at: the file, where in it, and the number of its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Position {
    /// The identity of the file.
    pub file: Uuid,
    /// Where the record begins, a multiple of 4096.
    pub offset: u64,
    /// The number of the session in the file, from 1.
    pub ordinal: u64,
}

/// The frame of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Frame {
    /// What the record is.
    pub head: Head,
    /// Where it was put.
    pub placement: Placement,
}

impl Frame {
    /// The frame of a block that is put at `position`.
    pub fn of_block(header: BlockHeader, position: &Position) -> Self {
        Self::new(Head::Block(header), position)
    }

    pub(crate) fn new(head: Head, position: &Position) -> Self {
        Self {
            head,
            placement: Placement {
                file: position.file,
                offset: position.offset,
                length: head.record_length(),
                ordinal: position.ordinal,
            },
        }
    }

    /// The bytes of the frame.
    pub fn encode(&self) -> [u8; FRAME_LENGTH] {
        let head = self.head.encode();
        let mut bytes = [0; FRAME_LENGTH];
        if let Some((first, second)) = bytes.split_first_chunk_mut() {
            second.copy_from_slice(&self.placement.encode(&head));
            *first = head;
        }
        bytes
    }

    /// Reads a frame, wherever it may belong.
    ///
    /// # Errors
    /// When the bytes are no frame, are damaged, or have a field out of its range.
    pub fn decode(bytes: &[u8; FRAME_LENGTH]) -> Result<Self, DecodeError> {
        let (head_bytes, rest) = bytes.split_first_chunk().ok_or(CUT_SHORT)?;
        let head = Head::decode(head_bytes)?;
        let placement = Placement::decode(head_bytes, rest.try_into().map_err(|_| CUT_SHORT)?)?;
        if placement.length != head.record_length() {
            return Err(DecodeError::Disagrees {
                part: Part::Placement,
                field: "length",
                expected: head.record_length(),
                found: placement.length,
            });
        }
        Ok(Self { head, placement })
    }

    /// Reads a frame that is due at `position`.
    ///
    /// # Errors
    /// As [`Frame::decode`], and when the record was made for another file, place or session.
    pub fn decode_at(bytes: &[u8; FRAME_LENGTH], position: &Position) -> Result<Self, DecodeError> {
        let frame = Self::decode(bytes)?;
        frame.check_at(position)?;
        Ok(frame)
    }

    /// Checks that the record was made for `position`.
    ///
    /// # Errors
    /// When it was made for another file, place or session number.
    pub fn check_at(&self, position: &Position) -> Result<(), DecodeError> {
        let Placement {
            file,
            offset,
            ordinal,
            ..
        } = self.placement;
        if file != position.file {
            return Err(DecodeError::ForeignFile {
                expected: position.file,
                found: file,
            });
        }
        if offset != position.offset {
            return Err(DecodeError::Misplaced {
                expected: position.offset,
                found: offset,
            });
        }
        if ordinal != position.ordinal {
            return Err(DecodeError::WrongOrdinal {
                expected: position.ordinal,
                found: ordinal,
            });
        }
        Ok(())
    }

    /// Takes the payload out of `body`, everything behind the frame up to the record's end, and
    /// checks every byte of it: payload, padding, and the trailer of a commit.
    ///
    /// # Errors
    /// When the body has another length, the payload another checksum, the padding a byte that is
    /// not zero, or the trailer is not that of this record.
    pub fn payload<'a>(&self, body: &'a [u8]) -> Result<&'a [u8], DecodeError> {
        let due = self
            .placement
            .length
            .saturating_sub(wire::size(FRAME_LENGTH));
        let payload_length = self.head.payload_length();
        if wire::size(body.len()) != due {
            return Err(DecodeError::Truncated {
                part: Part::RecordPayload,
                needed: due,
                found: wire::size(body.len()),
            });
        }
        let body = self.without_trailer(body)?;
        let split = usize::try_from(payload_length).unwrap_or(usize::MAX);
        let (payload, padding) = body.split_at_checked(split).ok_or(CUT_SHORT)?;
        self.head.verify(payload)?;
        wire::zero(Part::Padding, payload_length.into(), padding)?;
        Ok(payload)
    }

    fn without_trailer<'a>(&self, body: &'a [u8]) -> Result<&'a [u8], DecodeError> {
        let Some(due) = self.trailer() else {
            return Ok(body);
        };
        let (body, trailer) = body.split_last_chunk().ok_or(CUT_SHORT)?;
        let found = Trailer::decode(trailer)?;
        let disagrees = |field, expected, found| {
            Err(DecodeError::Disagrees {
                part: Part::Trailer,
                field,
                expected,
                found,
            })
        };
        if found.file != due.file {
            return Err(DecodeError::ForeignFile {
                expected: due.file,
                found: found.file,
            });
        }
        for (field, expected, found) in [
            ("offset", due.offset, found.offset),
            ("length", due.length, found.length),
            ("ordinal", due.ordinal, found.ordinal),
            ("checksum", due.payload_crc.into(), found.payload_crc.into()),
        ] {
            if expected != found {
                return disagrees(field, expected, found);
            }
        }
        Ok(body)
    }

    /// The trailer that the record ends with, if it is a commit.
    pub fn trailer(&self) -> Option<Trailer> {
        let Head::Other(header) = self.head else {
            return None;
        };
        (header.kind == RecordKind::Commit).then_some(Trailer {
            file: self.placement.file,
            offset: self.placement.offset,
            length: self.placement.length,
            ordinal: self.placement.ordinal,
            payload_crc: header.crc,
        })
    }
}

impl Head {
    /// The length of the record, a multiple of 4096.
    pub const fn record_length(&self) -> u64 {
        match self.kind() {
            RecordKind::Commit => {
                // A commit's payload is at most 8 MiB, so the sum is far from its limit.
                length(self.payload_length().saturating_add(Trailer::BYTES))
            }
            RecordKind::Block | RecordKind::Index => length(self.payload_length()),
        }
    }
}

const CUT_SHORT: DecodeError = DecodeError::Truncated {
    part: Part::RecordHeader,
    needed: FRAME_LENGTH as u64,
    found: 0,
};

#[cfg(test)]
mod tests {
    use super::*;

    const POSITION: Position = Position {
        file: Uuid::from_u128(1),
        offset: 4096,
        ordinal: 1,
    };

    fn record() -> Vec<u8> {
        let payload = b"bytes of a backup";
        let header = BlockHeader::for_raw(Uuid::from_u128(2), 0, 0, 0, payload);
        let mut record = Frame::of_block(header, &POSITION).encode().to_vec();
        record.extend_from_slice(payload);
        record.resize(4096, 0);
        record
    }

    fn read(record: &[u8]) -> Result<Vec<u8>, DecodeError> {
        let (frame, body) = record.split_first_chunk().unwrap();
        let frame = Frame::decode_at(frame, &POSITION)?;
        frame.payload(body).map(<[u8]>::to_vec)
    }

    #[test]
    fn a_block_goes_both_ways() {
        assert_eq!(read(&record()), Ok(b"bytes of a backup".to_vec()));
    }

    #[test]
    fn every_flipped_bit_of_a_record_is_noticed() {
        let mut record = record();
        for bit in 0..record.len() * 8 {
            record[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&record).is_err(), "bit {bit}");
            record[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn a_misplaced_record_says_where_it_belongs() {
        let record = record();
        let frame = record.first_chunk().unwrap();
        let at = |position| Frame::decode_at(frame, &position).unwrap_err();
        assert_eq!(
            at(Position {
                offset: 8192,
                ..POSITION
            }),
            DecodeError::Misplaced {
                expected: 8192,
                found: 4096
            }
        );
        assert_eq!(
            at(Position {
                ordinal: 2,
                ..POSITION
            }),
            DecodeError::WrongOrdinal {
                expected: 2,
                found: 1
            }
        );
        assert!(matches!(
            at(Position {
                file: Uuid::from_u128(9),
                ..POSITION
            }),
            DecodeError::ForeignFile { .. }
        ));
    }
}
