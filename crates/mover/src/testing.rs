//! Helpers of the unit tests.

use bytes::Bytes;
use uuid::Uuid;
use vab_format::block::BlockHeader;

use crate::Block;
use crate::proto::Position;

pub(crate) const SESSION: Uuid = Uuid::from_u128(0x5e55);

/// The block at `at` of a stream.
pub(crate) fn block(session: Uuid, stream: u16, at: &Position, payload: &[u8]) -> Block {
    Block {
        header: BlockHeader::for_raw(session, stream, at.blocks, at.bytes, payload),
        payload: Bytes::copy_from_slice(payload).into(),
    }
}
