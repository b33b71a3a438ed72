//! Frames: what follows the hello on the wire, in both directions.

use bytes::Bytes;
use vab_format::block::BlockHeader;
use zeroize::Zeroizing;

use super::control::{self, Control, ControlError};
use super::fields::Fields;
use crate::Block;
use crate::checksum::crc32c;

/// The largest stored payload of a block, in bytes.
pub const MAX_PAYLOAD: u32 = 4 * 1024 * 1024;

const MAGIC: [u8; 4] = *b"VABf";
const BLOCK_HEADER: u32 = 64;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// A control message.
    Control,
    /// A block: its 64-byte header and its stored payload.
    Block,
}

/// The fixed start of every frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// What follows.
    pub kind: FrameKind,
    /// Bytes that follow.
    pub length: u32,
    /// CRC-32C of the body of a control frame, or of the block header of a block frame (the
    /// payload has its checksum in that header).
    pub crc: u32,
}

/// The largest bodies a receiver takes at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest control body, in bytes.
    pub control: u32,
    /// Largest stored payload of a block, in bytes; `None` if no block may come.
    pub payload: Option<u32>,
}

impl Limits {
    /// Control messages only.
    pub const CONTROL: Self = Self {
        control: control::MAX_BODY,
        payload: None,
    };

    /// Control messages and blocks of up to `payload` bytes.
    pub const fn blocks(payload: u32) -> Self {
        Self {
            control: control::MAX_BODY,
            payload: Some(payload),
        }
    }
}

/// A whole frame. A payload is a handle, never copied by the state machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A control message.
    Control(Control),
    /// A block.
    Block(Block),
}

/// Bytes that are no frame. The connection they came from is of no further use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The bytes do not begin as a frame does.
    #[error("no frame where one should begin")]
    Magic,
    /// The checksum of the frame header does not fit.
    #[error("the frame header is damaged")]
    HeaderDamaged,
    /// The kind is unknown to this version.
    #[error("frame of unknown kind {kind}")]
    Kind {
        /// The number that came.
        kind: u8,
    },
    /// The length is over the limit.
    #[error("a frame of {length} bytes where at most {limit} may come")]
    TooLong {
        /// Length that was announced.
        length: u32,
        /// Longest that is taken.
        limit: u32,
    },
    /// A block came where none may come.
    #[error("a block outside of a session")]
    UnexpectedBlock,
    /// The body's checksum does not fit.
    #[error("the frame body is damaged")]
    BodyDamaged,
    /// The control message cannot be read.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The block header cannot be read.
    #[error("the block header cannot be read: {cause}")]
    Block {
        /// What the decoder said.
        cause: String,
    },
    /// The length of the frame and that in the block header differ.
    #[error("a block of {stored} bytes in a frame with room for {room}")]
    BlockLength {
        /// Stored length in the block header.
        stored: u32,
        /// Bytes left in the frame.
        room: u32,
    },
}

impl FrameHeader {
    /// Bytes of a frame header.
    pub const LENGTH: usize = 20;

    /// The bytes that travel.
    pub fn encode(&self) -> [u8; Self::LENGTH] {
        let kind = match self.kind {
            FrameKind::Control => 1,
            FrameKind::Block => 2,
        };
        let mut out = Vec::with_capacity(Self::LENGTH);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[kind, 0, 0, 0]);
        out.extend_from_slice(&self.length.to_le_bytes());
        out.extend_from_slice(&self.crc.to_le_bytes());
        let crc = crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        let mut bytes = [0; Self::LENGTH];
        bytes.copy_from_slice(&out);
        bytes
    }

    /// Reads a frame header and checks its length against `limits`, before anything is allocated
    /// for the body.
    ///
    /// # Errors
    /// [`FrameError`] if the bytes are no header of a frame that may come now.
    pub fn decode(bytes: &[u8; Self::LENGTH], limits: Limits) -> Result<Self, FrameError> {
        let mut fields = Fields::new(bytes);
        if fields.take::<4>() != Some(MAGIC) {
            return Err(FrameError::Magic);
        }
        let (covered, crc) = bytes
            .split_last_chunk::<4>()
            .ok_or(FrameError::HeaderDamaged)?;
        if crc32c(covered) != u32::from_le_bytes(*crc) {
            return Err(FrameError::HeaderDamaged);
        }
        let [kind, reserved @ ..] = fields.take::<4>().ok_or(FrameError::HeaderDamaged)?;
        let length = fields.u32().ok_or(FrameError::HeaderDamaged)?;
        let crc = fields.u32().ok_or(FrameError::HeaderDamaged)?;
        let (kind, limit) = match (kind, reserved) {
            (1, [0, 0, 0]) => (FrameKind::Control, limits.control),
            (2, [0, 0, 0]) => {
                let payload = limits.payload.ok_or(FrameError::UnexpectedBlock)?;
                if length < BLOCK_HEADER {
                    return Err(FrameError::BlockLength {
                        stored: 0,
                        room: length,
                    });
                }
                (FrameKind::Block, payload.saturating_add(BLOCK_HEADER))
            }
            _ => return Err(FrameError::Kind { kind }),
        };
        if length > limit {
            return Err(FrameError::TooLong { length, limit });
        }
        Ok(Self { kind, length, crc })
    }

    /// Reads the body of a control frame.
    ///
    /// # Errors
    /// [`FrameError`] if it is damaged or no message.
    pub fn control(&self, body: &[u8]) -> Result<Control, FrameError> {
        if crc32c(body) != self.crc {
            return Err(FrameError::BodyDamaged);
        }
        Ok(Control::decode(body)?)
    }

    /// Reads the block header of a block frame. The payload is left to its receiver.
    ///
    /// # Errors
    /// [`FrameError`] if it is damaged or does not fit the frame.
    pub fn block(&self, header: &[u8; BlockHeader::LENGTH]) -> Result<BlockHeader, FrameError> {
        if crc32c(header) != self.crc {
            return Err(FrameError::BodyDamaged);
        }
        let header = BlockHeader::decode(header).map_err(|error| FrameError::Block {
            cause: error.to_string(),
        })?;
        let room = self.length.saturating_sub(BLOCK_HEADER);
        if header.stored_length != room {
            return Err(FrameError::BlockLength {
                stored: header.stored_length,
                room,
            });
        }
        Ok(header)
    }
}

impl Frame {
    /// The bytes before the payload, and the payload (empty for a control message).
    ///
    /// # Errors
    /// [`FrameError`] if a control message or a block is too large to travel.
    pub fn encode(self) -> Result<(Vec<u8>, Bytes), FrameError> {
        match self {
            Self::Control(control) => {
                // It may hold a token.
                let body = Zeroizing::new(control.encode()?);
                let length = u32::try_from(body.len()).map_err(|_| ControlError::TooLarge)?;
                let header = FrameHeader {
                    kind: FrameKind::Control,
                    length,
                    crc: crc32c(&body),
                };
                let mut out = Vec::with_capacity(FrameHeader::LENGTH + body.len());
                out.extend_from_slice(&header.encode());
                out.extend_from_slice(&body);
                Ok((out, Bytes::new()))
            }
            Self::Block(Block { header, payload }) => {
                let stored = header.stored_length;
                if usize::try_from(stored) != Ok(payload.len()) {
                    let room = u32::try_from(payload.len()).unwrap_or(u32::MAX);
                    return Err(FrameError::BlockLength { stored, room });
                }
                if stored > MAX_PAYLOAD {
                    return Err(FrameError::TooLong {
                        length: stored,
                        limit: MAX_PAYLOAD,
                    });
                }
                let block = header.encode();
                let frame = FrameHeader {
                    kind: FrameKind::Block,
                    length: stored.saturating_add(BLOCK_HEADER),
                    crc: crc32c(&block),
                };
                let mut out = Vec::with_capacity(FrameHeader::LENGTH + BlockHeader::LENGTH);
                out.extend_from_slice(&frame.encode());
                out.extend_from_slice(&block);
                Ok((out, payload.into_bytes()))
            }
        }
    }

    /// What the frame is, for logs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Control(control) => control.name(),
            Self::Block(_) => "Block",
        }
    }
}

impl From<Control> for Frame {
    fn from(control: Control) -> Self {
        Self::Control(control)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(kind: FrameKind, length: u32) -> [u8; FrameHeader::LENGTH] {
        FrameHeader {
            kind,
            length,
            crc: 7,
        }
        .encode()
    }

    #[test]
    fn four_gibibytes_are_refused_at_the_header() {
        let error = FrameHeader::decode(&header(FrameKind::Control, u32::MAX), Limits::CONTROL)
            .unwrap_err();
        assert!(matches!(
            error,
            FrameError::TooLong {
                length: u32::MAX,
                ..
            }
        ));
        let error = FrameHeader::decode(
            &header(FrameKind::Block, u32::MAX),
            Limits::blocks(MAX_PAYLOAD),
        )
        .unwrap_err();
        assert!(matches!(
            error,
            FrameError::TooLong {
                length: u32::MAX,
                ..
            }
        ));
    }

    #[test]
    fn a_block_before_a_session_is_refused_at_the_header() {
        let error =
            FrameHeader::decode(&header(FrameKind::Block, 64), Limits::CONTROL).unwrap_err();
        assert!(matches!(error, FrameError::UnexpectedBlock));
    }

    #[test]
    fn every_flipped_bit_of_a_header_is_seen() {
        let good = header(FrameKind::Control, 100);
        for bit in 0..good.len() * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(
                FrameHeader::decode(&bad, Limits::CONTROL).is_err(),
                "bit {bit}"
            );
        }
    }

    #[test]
    fn the_limit_itself_is_taken() {
        let length = MAX_PAYLOAD + BLOCK_HEADER;
        let limits = Limits::blocks(MAX_PAYLOAD);
        assert!(FrameHeader::decode(&header(FrameKind::Block, length), limits).is_ok());
        assert!(FrameHeader::decode(&header(FrameKind::Block, length + 1), limits).is_err());
    }
}
