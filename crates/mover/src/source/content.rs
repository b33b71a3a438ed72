//! From what is stored back to what the engine wrote.

use bytes::Bytes;
use uuid::Uuid;
use vab_format::codec::{ContentError, Decoder};
use vab_format::stream::StreamEnd;

use super::error::StreamError;
use super::keys::Opening;
use crate::{Block, checksum};

/// Turns the blocks of one stream, which come in order, into the engine's bytes.
pub(super) struct Content {
    decoder: Decoder,
    sealed: Option<Sealed>,
}

/// The checksum over an encrypted stream, which only who has the key can check.
struct Sealed {
    session: Uuid,
    end: Option<StreamEnd>,
    crc: u32,
}

impl Content {
    pub(super) fn new(session: Uuid, end: Option<StreamEnd>, opening: Option<&Opening>) -> Self {
        Self {
            decoder: opening.map_or_else(Decoder::new, Opening::decoder),
            sealed: opening.map(|_| Sealed {
                session,
                end,
                crc: 0,
            }),
        }
    }

    /// The engine's bytes of a block: found right, decrypted, decompressed.
    pub(super) fn raw(&mut self, block: Block) -> Result<Bytes, StreamError> {
        let Block { header, payload } = block;
        let sequence = header.sequence;
        let damaged = |cause: String| StreamError::Damaged { sequence, cause };
        header
            .verify(&payload)
            .map_err(|error| damaged(error.to_string()))?;
        let raw =
            self.decoder
                .decode(&header, payload.into_bytes())
                .map_err(|error| match error {
                    ContentError::NotSupported { codec } => StreamError::Codec { sequence, codec },
                    error => damaged(error.to_string()),
                })?;
        if let Some(sealed) = &mut self.sealed {
            sealed.crc = checksum::append(sealed.crc, &raw);
        }
        Ok(raw)
    }

    /// The stream is over: the bytes of an encrypted one are checked as a whole. Those of another
    /// were when they arrived.
    pub(super) fn end(&self) -> Result<(), StreamError> {
        let Some(Sealed {
            session,
            end: Some(end),
            crc: found,
        }) = self.sealed
        else {
            return Ok(());
        };
        // Nothing was decoded of a stream without blocks, and nothing is masked then.
        let expected = Opening::crc(&self.decoder, session, end).unwrap_or(end.crc);
        if expected == found {
            Ok(())
        } else {
            Err(StreamError::Checksum { expected, found })
        }
    }
}
