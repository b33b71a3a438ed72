//! Decrypting blocks.

use std::fmt;

use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce};
use bytes::{Bytes, BytesMut};
use uuid::Uuid;

use super::derive::{SALT, nonce, session_cipher, stream_mask};
use super::key::DataKey;
use super::sealer::associated_data;
use crate::block::BlockHeader;
use crate::codec::ContentError;
use crate::stream::StreamEnd;

/// Decrypts blocks of any session of a file.
pub(crate) struct Opener {
    data_key: DataKey,
    session: Option<Session>,
}

/// The session that the last block was of.
struct Session {
    id: Uuid,
    salt: [u8; SALT],
    cipher: LessSafeKey,
}

impl Opener {
    pub(crate) const fn new(data_key: DataKey) -> Self {
        Self {
            data_key,
            session: None,
        }
    }

    /// What was encrypted: the compressed payload.
    pub(crate) fn open(
        &mut self,
        header: &BlockHeader,
        payload: Bytes,
    ) -> Result<Bytes, ContentError> {
        let (salt, _) = payload
            .split_first_chunk::<SALT>()
            .ok_or(ContentError::NotAuthentic)?;
        let nonce = Nonce::assume_unique_for_key(nonce(header.stream, header.sequence));
        let bound = Aad::from(associated_data(header));
        let session = self.session(header.session, *salt)?;
        // Decrypted where it lies, if nobody else holds the payload.
        let mut buffer = payload.try_into_mut().unwrap_or_else(BytesMut::from);
        let mut sealed = buffer.split_off(SALT);
        let length = session
            .cipher
            .open_in_place(nonce, bound, &mut sealed)
            .map_err(|_| ContentError::NotAuthentic)?
            .len();
        sealed.truncate(length);
        Ok(sealed.freeze())
    }

    /// The end of a stream with its true checksum. The stream is one of the session whose block
    /// was opened last.
    pub(crate) fn end(&self, session: Uuid, mut end: StreamEnd) -> Option<StreamEnd> {
        if end.blocks > 0 {
            let last = self.session.as_ref().filter(|last| last.id == session)?;
            end.crc ^= stream_mask(&self.data_key, session, &last.salt, end.stream);
        }
        Some(end)
    }

    fn session(&mut self, id: Uuid, salt: [u8; SALT]) -> Result<&Session, ContentError> {
        let same = |last: &Session| last.id == id && last.salt == salt;
        if !self.session.as_ref().is_some_and(same) {
            let cipher =
                session_cipher(&self.data_key, id, &salt).ok_or(ContentError::NotAuthentic)?;
            self.session = Some(Session { id, salt, cipher });
        }
        self.session.as_ref().ok_or(ContentError::NotAuthentic)
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener")
            .field("data_key", &self.data_key)
            .finish_non_exhaustive()
    }
}
