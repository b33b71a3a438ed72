//! What a WAL segment says about itself.

use super::Position;

/// The header at the beginning of a segment's first page (`XLogLongPageHeaderData`), in the byte
/// order of the machine that wrote it, of which little-endian ones are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// The cluster's system identifier.
    pub system: u64,
    /// The timeline that the first page was written on.
    pub timeline: u32,
    /// The position of the first byte.
    pub start: Position,
    /// Bytes of each segment.
    pub size: u32,
}

/// The bit that says that the header is a long one.
const LONG_HEADER: u16 = 2;

impl SegmentHeader {
    /// Bytes of the header.
    pub const LEN: usize = 40;

    /// Reads the header; `None` when these bytes are none.
    pub fn read(bytes: &[u8; Self::LEN]) -> Option<Self> {
        let info = u16::from_le_bytes(part(bytes, 2)?);
        let size = u32::from_le_bytes(part(bytes, 32)?);
        let possible = size.is_power_of_two() && (1 << 20..=1 << 30).contains(&size);
        (info & LONG_HEADER != 0 && possible).then_some(Self {
            timeline: u32::from_le_bytes(part(bytes, 4)?),
            start: Position(u64::from_le_bytes(part(bytes, 8)?)),
            system: u64::from_le_bytes(part(bytes, 24)?),
            size,
        })
    }
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The beginning of a segment of a server of version 15.
    const REAL: [u8; 40] = [
        0x10, 0xd1, 0x06, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xef, 0xcd, 0xab, 0x89, 0x67, 0x45,
        0x23, 0x01, 0x00, 0x00, 0x10, 0x00, 0x00, 0x20, 0x00, 0x00,
    ];

    #[test]
    fn a_header_says_where_it_belongs() {
        let header = SegmentHeader::read(&REAL).unwrap();
        assert_eq!(header.system, 0x0123_4567_89ab_cdef);
        assert_eq!(header.start, Position(0x10_0000));
        assert_eq!((header.timeline, header.size), (1, 1 << 20));
    }

    #[test]
    fn zeroes_are_no_header() {
        assert_eq!(SegmentHeader::read(&[0; 40]), None);
    }
}
