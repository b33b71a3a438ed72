use super::control::MAX_STREAMS;
use super::position::{OutOfOrder, Position};

/// The peer broke the rules of the protocol. The connection ends, and with it what ran on it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// A message that may not come in this state.
    #[error("{message} came while {state}")]
    Unexpected {
        /// Name of the message.
        message: &'static str,
        /// What the receiver was doing.
        state: &'static str,
    },
    /// A stream that the session does not have.
    #[error("stream {stream} of a session of {streams} streams")]
    Stream {
        /// The stream named.
        stream: u16,
        /// Streams of the session.
        streams: usize,
    },
    /// A number of streams that no session has.
    #[error("a session of {streams} streams; 1 to {MAX_STREAMS} are possible")]
    Streams {
        /// The number named.
        streams: usize,
    },
    /// A block of another session.
    #[error("a block of session {got} in session {expected}")]
    Session {
        /// The session.
        expected: uuid::Uuid,
        /// What the block says.
        got: uuid::Uuid,
    },
    /// A block that is not the next one.
    #[error(transparent)]
    OutOfOrder(#[from] OutOfOrder),
    /// A block was sent without credit.
    #[error("stream {stream}: a block without credit")]
    Credit {
        /// The stream.
        stream: u16,
    },
    /// A block after the end of its stream.
    #[error("stream {stream}: a block after the end of the stream")]
    AfterEnd {
        /// The stream.
        stream: u16,
    },
    /// A block that is encrypted in a session that is not, or the other way round.
    #[error("stream {stream}: a block that is {} in a session that is {}", sealed(*got), sealed(!*got))]
    Sealed {
        /// The stream.
        stream: u16,
        /// Whether the block is encrypted.
        got: bool,
    },
    /// Key slots that are none.
    #[error("key slots that cannot be read: {0}")]
    Keys(vab_format::DecodeError),
    /// The totals or the end-to-end checksum of a stream differ.
    #[error(
        "stream {stream}: what arrived ({} blocks, {} bytes, checksum {:08x}) is not what was sent ({} blocks, {} bytes, checksum {:08x})",
        arrived.blocks, arrived.bytes, arrived.crc, sent.blocks, sent.bytes, sent.crc
    )]
    Totals {
        /// The stream.
        stream: u16,
        /// What the sender says.
        sent: Position,
        /// What the receiver counted.
        arrived: Position,
    },
    /// A peer that names a durable or received position that cannot be.
    #[error("stream {stream}: {blocks} blocks are said to be safe, {low} to {high} are possible")]
    Acknowledged {
        /// The stream.
        stream: u16,
        /// The position named.
        blocks: u64,
        /// Lowest possible.
        low: u64,
        /// Highest possible.
        high: u64,
    },
}

impl Violation {
    pub(super) const fn unexpected(message: &'static str, state: &'static str) -> Self {
        Self::Unexpected { message, state }
    }
}

const fn sealed(sealed: bool) -> &'static str {
    if sealed { "encrypted" } else { "not encrypted" }
}
