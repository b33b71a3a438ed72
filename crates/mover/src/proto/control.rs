//! Control messages and their bytes: the one place that knows `bincode`.
//!
//! The bodies live as long as one connection and belong to one protocol version; nothing on disk
//! depends on them.

use bincode::{Decode, Encode};

use super::position::Position;
use super::secret::Secret;

/// The largest body of a control frame, in bytes.
pub const MAX_BODY: u32 = 128 * 1024;
/// The largest request, facts or receipt the manager may hand over, in bytes.
pub const MAX_OPAQUE: usize = 64 * 1024;
/// The most streams of one session.
pub const MAX_STREAMS: u16 = 64;
/// The largest answer to a query, in bytes; it travels in parts.
pub const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// The largest part of an answer, in bytes.
pub const MAX_PART: usize = 64 * 1024;
/// The most bytes of packed key slots ([`vab_format::vab::KeyArea::pack`]).
pub const MAX_KEYS: usize = vab_format::vab::KeyArea::MAX_PACKED;
/// The longest reason or message, in bytes; longer ones are cut.
pub const MAX_TEXT: usize = 4096;

const LIMIT: usize = MAX_BODY as usize;

/// A message that is not a block. The order of the variants is their number on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Control {
    /// Source: a question of the manager.
    Query {
        /// The manager's bytes.
        request: Vec<u8>,
    },
    /// Source: start a backup session.
    Begin {
        /// The manager's bytes.
        request: Vec<u8>,
        /// How many streams the session has.
        streams: u16,
        /// Chosen by the source; who knows it may take the session up again.
        key: [u8; 16],
        /// How many bytes the source can keep until they are durable at the target.
        retain: u64,
        /// How long, in milliseconds, the source tries to come back after a cut.
        patience: u64,
        /// Packed key slots for a new file, if the session is to be encrypted; else empty.
        keys: Vec<u8>,
    },
    /// Source: take a backup session up again.
    Resume {
        /// The session.
        session: [u8; 16],
        /// The key of its `Begin`.
        key: [u8; 16],
        /// As in `Begin`.
        retain: u64,
        /// As in `Begin`.
        patience: u64,
    },
    /// Source: read a session, each stream from the given sequence on.
    Open {
        /// The manager's bytes.
        request: Vec<u8>,
        /// Where each stream goes on; empty means at the start.
        from: Vec<u64>,
    },
    /// Source: stream `stream` is over; these are its totals.
    EndStream {
        /// The stream.
        stream: u16,
        /// Totals and end-to-end checksum.
        total: Position,
    },
    /// Source: make what stream `stream` sent so far durable soon.
    Sync {
        /// The stream.
        stream: u16,
    },
    /// Source: all streams are over; make the session a restore point.
    Commit {
        /// The manager's bytes.
        facts: Vec<u8>,
    },
    /// Either side: the session ends and leaves nothing.
    Abort {
        /// Why.
        reason: String,
    },
    /// Source: the session is over for it; the target may forget it.
    Close,
    /// Either side: are you there?
    Ping {
        /// Comes back in the answer.
        nonce: u64,
    },
    /// Either side: yes.
    Pong {
        /// From the question.
        nonce: u64,
    },
    /// Receiver of blocks: `limit` bytes of stream `stream` may be sent on this connection.
    Credit {
        /// The stream.
        stream: u16,
        /// Payload bytes counted from the start of the connection.
        limit: u64,
    },
    /// Target: the request is refused.
    Refused {
        /// Number of the [`RefusalKind`](crate::RefusalKind).
        kind: u16,
        /// What to do next.
        message: String,
    },
    /// Target: part of an answer to a query.
    Answer {
        /// The bytes of this part.
        part: Vec<u8>,
        /// Whether it was the last one.
        last: bool,
    },
    /// Target: the session is open; blocks may come.
    Begun {
        /// Its identity.
        session: [u8; 16],
        /// Bytes per stream that may be sent at once.
        window: u64,
        /// Packed key slots of the file it is written to; empty if that is not encrypted.
        keys: Vec<u8>,
    },
    /// Target: the session goes on.
    Resumed {
        /// Where each stream stands.
        streams: Vec<StreamState>,
        /// Bytes per stream that may be sent at once.
        window: u64,
    },
    /// Target: the first `blocks` blocks of stream `stream` are durable.
    Durable {
        /// The stream.
        stream: u16,
        /// How many blocks.
        blocks: u64,
        /// Whether the stream is over and its totals and checksum were found right.
        ended: bool,
    },
    /// Target: the restore point exists.
    Committed {
        /// The store's bytes for the manager.
        receipt: Vec<u8>,
    },
    /// Target: the session that is asked for, its streams and their totals.
    Opened {
        /// Its identity.
        session: [u8; 16],
        /// Totals of each stream.
        streams: Vec<Position>,
        /// Packed key slots of the file it lies in; empty if that is not encrypted.
        keys: Vec<u8>,
    },
    /// Source: what it shares with a target that asks for a token. Inside TLS only.
    Token {
        /// The token.
        token: Secret,
    },
    /// Target: the token is right; the first request may come.
    Welcome,
}

/// Where a stream of a resumed session stands at the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct StreamState {
    /// Blocks the target has; the next one to send has this sequence.
    pub received: u64,
    /// Blocks that are durable.
    pub durable: u64,
    /// Whether the end of the stream was received and found right.
    pub ended: bool,
}

/// A control body that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// The body is no message of this version.
    #[error("the control message cannot be read: {cause}")]
    Unreadable {
        /// What the decoder said.
        cause: String,
    },
    /// There are bytes behind the message.
    #[error("the control message has {count} bytes too many")]
    Trailing {
        /// How many.
        count: usize,
    },
    /// The message is over the limit.
    #[error("the control message does not fit in {MAX_BODY} bytes")]
    TooLarge,
}

fn config() -> impl bincode::config::Config {
    bincode::config::standard()
        .with_little_endian()
        .with_fixed_int_encoding()
        .with_limit::<LIMIT>()
}

impl Control {
    /// The bytes of the message.
    ///
    /// # Errors
    /// [`ControlError::TooLarge`] if the message does not fit.
    pub fn encode(&self) -> Result<Vec<u8>, ControlError> {
        let body = bincode::encode_to_vec(self, config()).map_err(|_| ControlError::TooLarge)?;
        if body.len() > LIMIT {
            Err(ControlError::TooLarge)
        } else {
            Ok(body)
        }
    }

    /// Reads a message. Never takes more memory than a small multiple of [`MAX_BODY`].
    ///
    /// # Errors
    /// [`ControlError`] if the bytes are no message.
    pub fn decode(body: &[u8]) -> Result<Self, ControlError> {
        let (control, used) = bincode::decode_from_slice(body, config()).map_err(|error| {
            ControlError::Unreadable {
                cause: error.to_string(),
            }
        })?;
        match body.len().saturating_sub(used) {
            0 => Ok(control),
            count => Err(ControlError::Trailing { count }),
        }
    }

    /// An abort with a reason that fits.
    pub fn abort(reason: &str) -> Self {
        Self::Abort {
            reason: text(reason),
        }
    }

    /// The name of the message, for logs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Query { .. } => "Query",
            Self::Begin { .. } => "Begin",
            Self::Resume { .. } => "Resume",
            Self::Open { .. } => "Open",
            Self::EndStream { .. } => "EndStream",
            Self::Sync { .. } => "Sync",
            Self::Commit { .. } => "Commit",
            Self::Abort { .. } => "Abort",
            Self::Close => "Close",
            Self::Ping { .. } => "Ping",
            Self::Pong { .. } => "Pong",
            Self::Credit { .. } => "Credit",
            Self::Refused { .. } => "Refused",
            Self::Answer { .. } => "Answer",
            Self::Begun { .. } => "Begun",
            Self::Resumed { .. } => "Resumed",
            Self::Durable { .. } => "Durable",
            Self::Committed { .. } => "Committed",
            Self::Opened { .. } => "Opened",
            Self::Token { .. } => "Token",
            Self::Welcome => "Welcome",
        }
    }
}

/// `text` cut at a character border so that it fits in a message.
pub fn text(text: &str) -> String {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_as_documented() {
        let control = Control::Credit {
            stream: 0x0102,
            limit: 0x0a,
        };
        assert_eq!(
            control.encode().unwrap(),
            [11, 0, 0, 0, 0x02, 0x01, 0x0a, 0, 0, 0, 0, 0, 0, 0]
        );
        let control = Control::Abort {
            reason: "no".into(),
        };
        assert_eq!(
            control.encode().unwrap(),
            [7, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, b'n', b'o']
        );
    }

    #[test]
    fn a_token_travels_as_documented_and_is_never_shown() {
        let token = Secret::new(b"abc".to_vec());
        let control = Control::Token { token };
        assert_eq!(
            control.encode().unwrap(),
            [19, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, b'a', b'b', b'c']
        );
        assert_eq!(Control::Welcome.encode().unwrap(), [20, 0, 0, 0]);
        assert_eq!(format!("{control:?}"), "Token { token: Secret(3 bytes) }");
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_it_is_allocated() {
        let mut body = vec![0, 0, 0, 0];
        body.extend_from_slice(&u64::MAX.to_le_bytes());
        assert!(matches!(
            Control::decode(&body),
            Err(ControlError::Unreadable { .. })
        ));
    }

    #[test]
    fn bytes_behind_the_message_are_refused() {
        let mut body = Control::Close.encode().unwrap();
        body.push(0);
        assert!(matches!(
            Control::decode(&body),
            Err(ControlError::Trailing { count: 1 })
        ));
    }

    #[test]
    fn the_largest_opaque_bytes_fit() {
        let control = Control::Open {
            request: vec![1; MAX_OPAQUE],
            from: vec![0; usize::from(MAX_STREAMS)],
        };
        assert_eq!(
            Control::decode(&control.encode().unwrap()).unwrap(),
            control
        );
        let control = Control::Begin {
            request: vec![1; MAX_OPAQUE],
            streams: MAX_STREAMS,
            key: [1; 16],
            retain: 1,
            patience: 1,
            keys: vec![1; MAX_KEYS],
        };
        assert_eq!(
            Control::decode(&control.encode().unwrap()).unwrap(),
            control
        );
        assert!(matches!(
            Control::Query {
                request: vec![0; LIMIT]
            }
            .encode(),
            Err(ControlError::TooLarge)
        ));
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let reason = "é".repeat(MAX_TEXT);
        assert_eq!(text(&reason).len(), MAX_TEXT);
        assert_eq!(text(&format!("a{reason}")).len(), MAX_TEXT - 1);
    }
}
