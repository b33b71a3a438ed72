//! The header that every block (descriptor block, DBLK) begins with, and that of its streams.

use super::fields::Fields;
use super::{Expected, MtfError, Tag};

/// Bytes of a block header.
pub(super) const BLOCK_HEADER: usize = 52;

/// Bytes of a stream header.
pub(super) const STREAM_HEADER: usize = 22;

/// Everything on a medium begins at multiples of this; the smallest physical block.
pub(super) const SECTOR: u64 = 512;

pub(super) const TAPE: Tag = Tag(*b"TAPE");
pub(super) const FILE_MARK: Tag = Tag(*b"SFMB");
pub(super) const SET_START: Tag = Tag(*b"SSET");
pub(super) const CONFIG_FIRST: Tag = Tag(*b"MSCI");
pub(super) const CONFIG_LAST: Tag = Tag(*b"MSLS");
pub(super) const SET_END: Tag = Tag(*b"ESET");
pub(super) const MEDIUM_END: Tag = Tag(*b"EOTM");

pub(super) const FAMILY: Tag = Tag(*b"RAID");
pub(super) const CONFIG: Tag = Tag(*b"MQCI");
pub(super) const DATA: Tag = Tag(*b"MQDA");
pub(super) const LOG: Tag = Tag(*b"MQTL");
pub(super) const PAD: Tag = Tag(*b"SPAD");

/// On a data stream: its bytes are under a checksum, which follows as a stream of its own.
pub(super) const STREAM_CHECKSUM: u16 = 0x0100;

#[derive(Clone, Copy, Debug)]
pub(super) struct BlockHeader {
    pub(super) tag: Tag,
    /// Where the block's streams begin, from its start.
    pub(super) first_stream: u16,
}

impl BlockHeader {
    pub(super) fn decode(bytes: &[u8; BLOCK_HEADER], at: u64) -> Result<Self, MtfError> {
        let (covered, written) = bytes.split_at(BLOCK_HEADER - 2);
        check(covered, written, at, Expected::BlockHeader)?;
        let fields = Fields::new(bytes, at);
        Ok(Self {
            tag: Tag(fields.array("the tag of a block", 0)?),
            first_stream: fields.u16("the offset of the first stream", 8)?,
        })
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct StreamHeader {
    pub(super) tag: Tag,
    pub(super) media_attributes: u16,
    pub(super) length: u64,
}

impl StreamHeader {
    pub(super) fn decode(
        bytes: &[u8; STREAM_HEADER],
        at: u64,
        block: Tag,
    ) -> Result<Self, MtfError> {
        let (covered, written) = bytes.split_at(STREAM_HEADER - 2);
        check(covered, written, at, Expected::StreamHeader { block })?;
        let fields = Fields::new(bytes, at);
        Ok(Self {
            tag: Tag(fields.array("the tag of a stream", 0)?),
            media_attributes: fields.u16("the attributes of a stream", 6)?,
            length: fields.u64("the length of a stream", 8)?,
        })
    }
}

fn check(covered: &[u8], written: &[u8], offset: u64, what: Expected) -> Result<(), MtfError> {
    let expected = checksum(covered);
    let found = checksum(written);
    if expected == found {
        Ok(())
    } else {
        Err(MtfError::Checksum {
            offset,
            what,
            expected,
            found,
        })
    }
}

/// The XOR of all 16-bit words.
pub(super) fn checksum(bytes: &[u8]) -> u16 {
    bytes
        .chunks_exact(2)
        .filter_map(|pair| pair.try_into().ok())
        .fold(0, |sum, pair| sum ^ u16::from_le_bytes(pair))
}
