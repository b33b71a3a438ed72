//! Reading at a place of a file.

use std::io::{self, Read, Seek, SeekFrom};

use crate::error::DecodeError;

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file is not what it should be at this place.
    #[error("at byte {offset} of the file")]
    Damaged {
        /// Where the part that could not be taken begins.
        offset: u64,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// There is no such session in the file.
    #[error("there is no session number {ordinal} in the file; it has {sessions}")]
    NoSuchSession {
        /// The ordinal that was asked for.
        ordinal: u64,
        /// How many sessions are committed in the file.
        sessions: u64,
    },
    /// There is no such block in the session.
    #[error("stream {stream} of the session has no block {sequence}")]
    NoSuchBlock {
        /// The stream that was asked for.
        stream: u16,
        /// The sequence number that was asked for.
        sequence: u64,
    },
    /// The block cannot be turned into raw bytes here.
    #[error("the block at byte {offset} of stream {stream} cannot be decoded")]
    Content {
        /// The stream.
        stream: u16,
        /// Where the block's raw bytes begin in the stream.
        offset: u64,
        /// Why not.
        source: crate::codec::ContentError,
    },
    /// The operating system failed to read.
    #[error("reading failed")]
    Io(#[from] io::Error),
}

/// A file that is read at places.
#[derive(Debug)]
pub(super) struct Source<R> {
    inner: R,
    length: u64,
}

impl<R: Read + Seek> Source<R> {
    pub(super) fn new(mut inner: R) -> Result<Self, ReadError> {
        let length = inner.seek(SeekFrom::End(0))?;
        Ok(Self { inner, length })
    }

    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn into_inner(self) -> R {
        self.inner
    }

    /// The `length` bytes at `offset`, fewer where the file ends before.
    pub(super) fn read(&mut self, offset: u64, length: u64) -> Result<Vec<u8>, ReadError> {
        self.inner.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        self.inner.by_ref().take(length).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Says where a damaged part is.
pub(super) fn at<T>(offset: u64, result: Result<T, DecodeError>) -> Result<T, ReadError> {
    result.map_err(|source| ReadError::Damaged { offset, source })
}
