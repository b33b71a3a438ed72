//! The raw bytes of a stream.

use std::io::{self, Read, Seek};

use super::reader::{Session, VabReader};
use super::source::ReadError;
use crate::codec;

/// The raw bytes of one stream of a session, in order.
#[derive(Debug)]
pub struct StreamReader<'r, R> {
    reader: &'r mut VabReader<R>,
    session: &'r Session,
    stream: u16,
    sequence: u64,
    block: io::Cursor<Vec<u8>>,
}

impl<'r, R: Read + Seek> StreamReader<'r, R> {
    pub(super) fn new(reader: &'r mut VabReader<R>, session: &'r Session, stream: u16) -> Self {
        Self {
            reader,
            session,
            stream,
            sequence: 0,
            block: io::Cursor::default(),
        }
    }

    /// The raw bytes of the next block; `None` at the end of the stream.
    ///
    /// # Errors
    /// When the block is damaged, or cannot be decoded.
    pub fn next_block(&mut self) -> Result<Option<Vec<u8>>, ReadError> {
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
        match codec::decode(&header, payload) {
            Ok(raw) => Ok(Some(raw)),
            Err(source) => Err(ReadError::Content {
                stream: self.stream,
                offset: header.offset,
                source,
            }),
        }
    }
}

impl<R: Read + Seek> Read for StreamReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.block.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            match self.next_block() {
                Ok(Some(block)) => self.block = io::Cursor::new(block),
                Ok(None) => return Ok(0),
                Err(ReadError::Io(error)) => return Err(error),
                Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            }
        }
    }
}
