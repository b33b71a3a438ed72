//! The raw bytes of a stream.

use std::io::{self, Read, Seek};

use bytes::{Buf, Bytes};

use super::reader::{Session, VabReader};
use super::source::ReadError;

/// The raw bytes of one stream of a session, in order.
#[derive(Debug)]
pub struct StreamReader<'r, R> {
    reader: &'r mut VabReader<R>,
    session: &'r Session,
    stream: u16,
    sequence: u64,
    block: Bytes,
}

impl<'r, R: Read + Seek> StreamReader<'r, R> {
    pub(super) fn new(reader: &'r mut VabReader<R>, session: &'r Session, stream: u16) -> Self {
        Self {
            reader,
            session,
            stream,
            sequence: 0,
            block: Bytes::new(),
        }
    }

    /// The raw bytes of the next block; `None` at the end of the stream.
    ///
    /// # Errors
    /// When the block is damaged, or cannot be decoded.
    pub fn next_block(&mut self) -> Result<Option<Bytes>, ReadError> {
        let end = self
            .session
            .commit
            .session
            .streams
            .get(usize::from(self.stream));
        if end.is_none_or(|end| self.sequence >= end.blocks) {
            return Ok(None);
        }
        let (header, payload) = self
            .reader
            .block(self.session, self.stream, self.sequence)?;
        self.sequence += 1;
        self.reader.content(&header, payload).map(Some)
    }
}

impl<R: Read + Seek> Read for StreamReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.block.is_empty() && !buffer.is_empty() {
            match self.next_block() {
                Ok(Some(block)) => self.block = block,
                Ok(None) => return Ok(0),
                Err(ReadError::Io(error)) => return Err(error),
                Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            }
        }
        let length = buffer.len().min(self.block.len());
        if let Some(part) = buffer.get_mut(..length) {
            self.block.copy_to_slice(part);
        }
        Ok(length)
    }
}
