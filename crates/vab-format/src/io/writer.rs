//! Writing a whole `.VAB`.

use std::io::{self, Read, Seek, SeekFrom, Write};

use uuid::Uuid;

use super::reader::VabReader;
use super::source::ReadError;
use crate::block::BlockHeader;
use crate::error::{AppendError, DecodeError, EncodeError};
use crate::session::SessionRecord;
use crate::stream::StreamEnd;
use crate::vab::{Append, End, KeyArea, VabHeader};

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The header does not fit the format.
    #[error("the header cannot be written down")]
    Header(#[from] EncodeError),
    /// The block is not the one that is due, or not what its header says.
    #[error("the block cannot be taken")]
    Block(#[from] DecodeError),
    /// The session cannot be committed.
    #[error("the session cannot be committed")]
    Commit(#[from] AppendError),
    /// The file may be read but not written.
    #[error("the file cannot be written to")]
    ReadOnly {
        /// Why not.
        source: DecodeError,
    },
    /// The operating system failed to write.
    #[error("writing failed")]
    Io(#[from] io::Error),
}

/// A `.VAB` that is written from one place. Nothing is synced to disk: that is up to the caller,
/// behind each commit.
#[derive(Debug)]
pub struct VabWriter<W> {
    sink: W,
    end: End,
}

/// A session that is being appended. Dropping it without a commit leaves it invisible; the next
/// session overwrites it.
#[derive(Debug)]
pub struct SessionWriter<'w, W> {
    writer: &'w mut VabWriter<W>,
    append: Append,
}

impl<W: Write + Seek> VabWriter<W> {
    /// Begins an empty file.
    ///
    /// # Errors
    /// When a name in the header is too long, or writing fails.
    pub fn create(mut sink: W, header: &VabHeader) -> Result<Self, WriteError> {
        let mut bytes = header.encode()?;
        bytes.resize(usize::try_from(header.data_start).unwrap_or(bytes.len()), 0);
        sink.seek(SeekFrom::Start(0))?;
        sink.write_all(&bytes)?;
        Ok(Self {
            sink,
            end: End::of_new(header),
        })
    }

    /// Begins an empty encrypted file with these key slots.
    ///
    /// # Errors
    /// When a name in the header or a slot cannot be written down, or writing fails.
    pub fn create_encrypted(
        sink: W,
        header: VabHeader,
        area: &KeyArea,
    ) -> Result<Self, WriteError> {
        let area = area.encode()?;
        let mut writer = Self::create(sink, &header.encrypted())?;
        writer.put(KeyArea::RANGE.start, &area)?;
        Ok(writer)
    }

    /// Begins a session of that many streams, 1 to 64.
    pub fn begin(&mut self, session: Uuid, streams: u16) -> SessionWriter<'_, W> {
        SessionWriter {
            append: Append::begin(self.end.clone(), session, streams),
            writer: self,
        }
    }

    /// Where the committed part of the file ends.
    pub const fn end(&self) -> &End {
        &self.end
    }

    /// The file.
    pub fn into_inner(self) -> W {
        self.sink
    }

    fn put(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.sink.seek(SeekFrom::Start(offset))?;
        self.sink.write_all(bytes)
    }
}

impl<W: Read + Write + Seek> VabWriter<W> {
    /// Goes on with a file that was read before.
    ///
    /// # Errors
    /// When the file has features that forbid a program that does not know them to write.
    pub fn open(reader: VabReader<W>) -> Result<Self, WriteError> {
        let part = crate::Part::VabHeader;
        let features = reader.header().features;
        features
            .check_writable(part)
            .map_err(|source| WriteError::ReadOnly { source })?;
        let end = reader.end().clone();
        Ok(Self {
            end,
            sink: reader.into_inner(),
        })
    }

    /// Turns round and reads.
    ///
    /// # Errors
    /// As [`VabReader::open`].
    pub fn into_reader(self) -> Result<VabReader<W>, ReadError> {
        VabReader::open(self.sink)
    }
}

impl<W: Write + Seek> SessionWriter<'_, W> {
    /// Writes the next block of a stream.
    ///
    /// # Errors
    /// When the payload is not that of the header, the block is not the one that is due in its
    /// stream, or writing fails.
    pub fn write(&mut self, header: &BlockHeader, payload: &[u8]) -> Result<(), WriteError> {
        header.verify(payload)?;
        let placed = self.append.block(header)?;
        let sink = &mut self.writer.sink;
        sink.seek(SeekFrom::Start(placed.offset))?;
        sink.write_all(&placed.frame)?;
        sink.write_all(payload)?;
        io::copy(&mut io::repeat(0).take(placed.padding as u64), sink)?;
        if let Some(segment) = self.append.segment() {
            self.writer.put(segment.offset, &segment.bytes)?;
        }
        Ok(())
    }

    /// The totals of the streams so far.
    pub fn ends(&self) -> Vec<StreamEnd> {
        self.append.ends()
    }

    /// Ends the session and makes it visible.
    ///
    /// # Errors
    /// When the record is that of another session, or claims other totals than came, or writing
    /// fails.
    pub fn commit(self, record: SessionRecord) -> Result<(), WriteError> {
        let closing = self.append.commit(record)?;
        for segment in &closing.segments {
            self.writer.put(segment.offset, &segment.bytes)?;
        }
        let commit = &closing.commit;
        self.writer.put(commit.offset, &commit.bytes)?;
        self.writer.sink.flush()?;
        self.writer.end = closing.end;
        Ok(())
    }
}
