use bytes::{Buf, Bytes, BytesMut};
use vab_format::block::BlockHeader;

use super::frame::{Frame, FrameError, FrameHeader, FrameKind, Limits};
use crate::Block;

/// Frames out of bytes that arrive in pieces of any size.
///
/// For simulators, fuzzers and drivers that read into buffers of their own. It never holds more
/// than one frame of the allowed size and what was fed last.
#[derive(Debug)]
pub struct FrameDecoder {
    limits: Limits,
    bytes: BytesMut,
}

impl FrameDecoder {
    /// A decoder at the border of two frames.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            bytes: BytesMut::new(),
        }
    }

    /// Changes what may come from the next frame on.
    pub const fn allow(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Takes bytes that arrived.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole frame, if it is there.
    ///
    /// # Errors
    /// [`FrameError`] if the bytes are no frame. The decoder is of no use afterwards.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some((header, rest)) = self.bytes.split_first_chunk::<{ FrameHeader::LENGTH }>() else {
            return Ok(None);
        };
        let header = FrameHeader::decode(header, self.limits)?;
        let Ok(length) = usize::try_from(header.length) else {
            return Err(FrameError::TooLong {
                length: header.length,
                limit: u32::MAX,
            });
        };
        if rest.len() < length {
            return Ok(None);
        }
        self.bytes.advance(FrameHeader::LENGTH);
        let body = self.bytes.split_to(length).freeze();
        frame(header, &body).map(Some)
    }
}

fn frame(header: FrameHeader, body: &Bytes) -> Result<Frame, FrameError> {
    match header.kind {
        FrameKind::Control => Ok(Frame::Control(header.control(body)?)),
        FrameKind::Block => {
            let (block, _) = body.split_first_chunk::<{ BlockHeader::LENGTH }>().ok_or(
                FrameError::BlockLength {
                    stored: 0,
                    room: header.length,
                },
            )?;
            let block = header.block(block)?;
            Ok(Frame::Block(Block {
                header: block,
                payload: body.slice(BlockHeader::LENGTH..).into(),
            }))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::proto::Position;
    use crate::proto::control::Control;
    use crate::proto::frame::MAX_PAYLOAD;
    use crate::testing::{SESSION, block};

    fn bytes_of(frame: Frame) -> Vec<u8> {
        let (mut out, payload) = frame.encode().unwrap();
        out.extend_from_slice(&payload);
        out
    }

    proptest! {
        #[test]
        fn frames_come_out_as_they_went_in_whatever_the_pieces(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 1..5),
            pieces in prop::collection::vec(1..100_usize, 1..200),
        ) {
            let mut at = Position::default();
            let mut frames = Vec::new();
            for payload in &payloads {
                let block = block(SESSION, 1, &at, payload);
                at.advance(&block.header).unwrap();
                frames.push(Frame::Block(block));
                frames.push(Frame::Control(Control::Query { request: payload.clone() }));
            }
            let wire: Vec<u8> = frames.iter().cloned().flat_map(bytes_of).collect();
            let mut decoder = FrameDecoder::new(Limits::blocks(MAX_PAYLOAD));
            let (mut rest, mut out) = (wire.as_slice(), Vec::new());
            for piece in pieces.iter().cycle() {
                let (now, later) = rest.split_at((*piece).min(rest.len()));
                decoder.feed(now);
                rest = later;
                while let Some(frame) = decoder.next_frame().unwrap() {
                    out.push(frame);
                }
                if rest.is_empty() { break; }
            }
            prop_assert_eq!(out, frames);
        }

        #[test]
        fn any_bytes_end_in_frames_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
            let mut decoder = FrameDecoder::new(Limits::blocks(MAX_PAYLOAD));
            decoder.feed(&bytes);
            while let Ok(Some(_)) = decoder.next_frame() {}
        }
    }

    #[test]
    fn every_flipped_bit_outside_the_payload_is_seen() {
        let wire = bytes_of(Frame::Block(block(
            SESSION,
            1,
            &Position::default(),
            b"payload",
        )));
        let covered = wire.len() - b"payload".len();
        for bit in 0..covered * 8 {
            let mut bad = wire.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let mut decoder = FrameDecoder::new(Limits::blocks(MAX_PAYLOAD));
            decoder.feed(&bad);
            assert!(decoder.next_frame().is_err(), "bit {bit}");
        }
    }
}
