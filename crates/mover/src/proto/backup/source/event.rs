use std::time::Duration;

use uuid::Uuid;
use vab_format::vab::KeyArea;

use crate::proto::failure::Failure;

/// What the driver of a [`Source`](super::Source) has to do or to know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Open a connection, then call [`Source::connected`](super::Source::connected) or [`Source::connect_failed`](super::Source::connect_failed).
    Connect,
    /// Close the connection; nothing more is expected of it.
    Disconnect,
    /// The session is open; blocks of it may be pushed.
    Begun {
        /// Its identity.
        session: Uuid,
        /// The key slots in force; `None` if it is not to be encrypted.
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
    /// The first `blocks` blocks of a stream are durable at the target.
    Durable {
        /// The stream.
        stream: u16,
        /// How many blocks.
        blocks: u64,
        /// The stream is over, and the target found its checksum right.
        ended: bool,
    },
    /// The restore point exists. Last event.
    Committed {
        /// The store's bytes for the manager.
        receipt: Vec<u8>,
    },
    /// The session is over and left nothing, or is in doubt as the failure says. Last event.
    Failed(Failure),
}
