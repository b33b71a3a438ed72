use vab_format::block::BlockHeader;

use crate::Payload;

/// The unit of everything that is moved: a header and the payload as it is stored.
///
/// The same bytes travel the wire and lie in the container. Cloning copies no payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Which part of which stream this is, its lengths and checksums.
    pub header: BlockHeader,
    /// The stored payload, `header.stored_length` bytes.
    pub payload: Payload,
}
