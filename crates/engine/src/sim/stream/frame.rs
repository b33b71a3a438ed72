//! Frames: the header, the checksum, the payload.

use crate::sim::bytes::{Put, Short, Take, length, small_u32};

/// Bytes of a frame's header.
pub(crate) const HEADER: usize = 32;
/// The longest payload that is accepted.
pub(crate) const MAX_PAYLOAD: u32 = 4 << 20;

const MAGIC: [u8; 4] = *b"VSF1";

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Head,
    Pages,
    Log,
    Tail,
}

/// A frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    pub(crate) number: u64,
    pub(crate) payload: Vec<u8>,
}

impl Kind {
    fn code(self) -> u8 {
        match self {
            Self::Head => 1,
            Self::Pages => 2,
            Self::Log => 3,
            Self::Tail => 4,
        }
    }

    fn from_code(code: u8) -> Result<Self, Short> {
        Ok(match code {
            1 => Self::Head,
            2 => Self::Pages,
            3 => Self::Log,
            4 => Self::Tail,
            _ => return Err(Short),
        })
    }
}

impl Frame {
    pub(crate) fn new(kind: Kind, number: u64, payload: Vec<u8>) -> Self {
        Self {
            kind,
            number,
            payload,
        }
    }

    /// The header that goes before the payload.
    pub(crate) fn header(&self) -> Vec<u8> {
        let mut header = Vec::with_capacity(HEADER);
        header.put(&MAGIC);
        header.put(&[self.kind.code(), 0, 0, 0]);
        header.put(&self.number.to_le_bytes());
        header.put(&small_u32(self.payload.len()).to_le_bytes());
        header.put(&[0; 8]);
        let sum = crc32c::crc32c_append(crc32c::crc32c(&header), &self.payload);
        header.put(&sum.to_le_bytes());
        header
    }
}

/// A header that was read, before its payload.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header {
    kind: Kind,
    number: u64,
    pub(crate) payload: usize,
    sum: u32,
    stored: u32,
}

impl Header {
    pub(crate) fn decode(bytes: &[u8; HEADER]) -> Result<Self, Short> {
        let mut from = Take(bytes);
        if from.array()? != MAGIC {
            return Err(Short);
        }
        let kind = Kind::from_code(from.u8()?)?;
        from.bytes(3)?;
        let number = from.u64()?;
        let payload = from.u32()?;
        from.bytes(8)?;
        let stored = from.u32()?;
        if payload > MAX_PAYLOAD {
            return Err(Short);
        }
        let covered = bytes.get(..HEADER - 4).unwrap_or_default();
        Ok(Self {
            kind,
            number,
            payload: length(payload),
            sum: crc32c::crc32c(covered),
            stored,
        })
    }

    /// The frame, if the payload is the one that was written.
    pub(crate) fn with(self, payload: Vec<u8>) -> Result<Frame, Short> {
        if crc32c::crc32c_append(self.sum, &payload) != self.stored {
            return Err(Short);
        }
        Ok(Frame::new(self.kind, self.number, payload))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> Result<Frame, Short> {
        let (header, payload) = bytes.split_first_chunk::<HEADER>().ok_or(Short)?;
        Header::decode(header)?.with(payload.to_vec())
    }

    #[test]
    fn goes_both_ways_and_shows_any_change() {
        let frame = Frame::new(Kind::Log, 7, b"payload".to_vec());
        let mut bytes = frame.header();
        bytes.extend_from_slice(&frame.payload);
        assert_eq!(decode(&bytes), Ok(frame));
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            assert_eq!(decode(&bytes), Err(Short), "byte {at}");
            bytes[at] ^= 1;
        }
    }

    #[test]
    fn a_payload_beyond_the_limit_is_refused_before_it_is_read() {
        let mut frame = Frame::new(Kind::Log, 7, Vec::new()).header();
        frame[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(Header::decode(frame.first_chunk().unwrap()).is_err());
    }
}
