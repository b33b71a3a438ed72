use std::time::Duration;

use uuid::Uuid;
use vab_format::vab::KeyArea;

use crate::Block;
use crate::proto::failure::Failure;
use crate::proto::position::Position;

/// What the driver of a [`Source`](super::Source) has to do or to know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Open a connection, then call [`Source::connected`](super::Source::connected) or [`Source::connect_failed`](super::Source::connect_failed).
    Connect,
    /// Close the connection; nothing more is expected of it.
    Disconnect,
    /// The session is open.
    Opened {
        /// Its identity.
        session: Uuid,
        /// Totals of each stream.
        streams: Vec<Position>,
        /// The key slots of its file; `None` if it is not encrypted.
        keys: Option<Box<KeyArea>>,
    },
    /// The connection is lost; the source will try to come back.
    Lost {
        /// What happened.
        cause: String,
    },
    /// The session goes on over a new connection.
    Resumed {
        /// How long it was interrupted.
        outage: Duration,
    },
    /// The next block of its stream. Its payload is not checked yet. Call
    /// [`Source::consumed`](super::Source::consumed) when it is no longer held.
    Block(Block),
    /// Every block of the stream arrived.
    StreamEnded {
        /// The stream.
        stream: u16,
    },
    /// The session is over. Last event.
    Failed(Failure),
}
