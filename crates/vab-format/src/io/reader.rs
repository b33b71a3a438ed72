//! Reading a whole `.VAB`.

use std::io::{Read, Seek};

use bytes::Bytes;
use uuid::Uuid;

use super::source::{ReadError, Source, at};
use super::stream::StreamReader;
use crate::block::BlockHeader;
use crate::codec::Decoder;
use crate::error::{DecodeError, Part};
use crate::limits::ALIGNMENT;
use crate::record::{FRAME_LENGTH, Frame, Head, Position, RecordKind, Trailer};
use crate::stream::StreamEnd;
use crate::vab::{Commit, End, Found, IndexEntry, IndexSegment, KeyArea, VabHeader, Walk, Walked};
use crate::vasm::{StoredSession, Vasm};
use crate::wire;

/// A `.VAB` that is read without its `.VASM`.
#[derive(Debug)]
pub struct VabReader<R> {
    pub(super) source: Source<R>,
    header: VabHeader,
    end: End,
    last: Option<Session>,
    decoder: Decoder,
}

/// A committed session of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Session {
    /// Where its commit record is, and its ordinal.
    pub position: Position,
    /// The length of its commit record in bytes.
    pub length: u64,
    /// What the commit record says.
    pub commit: Commit,
}

impl<R: Read + Seek> VabReader<R> {
    /// Opens a file. One that ends with a commit is opened with four reads; one with a torn
    /// session at its end is walked through from its start.
    ///
    /// # Errors
    /// When the file cannot be read, or is no `.VAB`, or its header is damaged.
    pub fn open(file: R) -> Result<Self, ReadError> {
        let mut source = Source::new(file)?;
        let bytes = source.read(0, VabHeader::LENGTH as u64)?;
        let header = at(0, VabHeader::decode(&bytes))?;
        let mut reader = Self {
            source,
            end: End::of_new(&header),
            header,
            last: None,
            decoder: Decoder::new(),
        };
        if let Some(last) = reader.last_by_trailer()? {
            reader.end = End::after(&last.commit, &last.position, last.length);
            reader.last = Some(last);
        } else {
            reader.walk()?;
        }
        Ok(reader)
    }

    /// A file whose own header cannot be read, with one that is known from elsewhere: from its
    /// `.VASM`, say. No session of it is known; ask [`VabReader::salvage`] and
    /// [`VabReader::session_at`].
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn with_header(file: R, header: VabHeader) -> Result<Self, ReadError> {
        Ok(Self {
            source: Source::new(file)?,
            end: End::of_new(&header),
            header,
            last: None,
            decoder: Decoder::new(),
        })
    }

    /// The session whose commit record is due at a place.
    ///
    /// # Errors
    /// When it is damaged, or not there.
    pub fn session_at(&mut self, position: Position) -> Result<Session, ReadError> {
        self.commit(position)
    }

    /// Decrypts blocks with this key from now on.
    #[cfg(feature = "encrypt")]
    #[must_use]
    pub fn with_key(mut self, key: crate::crypto::DataKey) -> Self {
        self.decoder = Decoder::with_key(key);
        self
    }

    /// The header of the file.
    pub const fn header(&self) -> &VabHeader {
        &self.header
    }

    /// The bytes of the area of key slots of an encrypted file.
    ///
    /// # Errors
    /// When reading fails.
    pub fn key_area(&mut self) -> Result<Vec<u8>, ReadError> {
        let range = KeyArea::RANGE;
        self.source.read(range.start, range.end - range.start)
    }

    /// Where the committed part of the file ends.
    pub const fn end(&self) -> &End {
        &self.end
    }

    /// How long the file is in bytes; what is behind its committed part is left over from a session
    /// that was not committed.
    pub const fn file_length(&self) -> u64 {
        self.source.length()
    }

    /// How many sessions are committed in the file.
    pub const fn sessions(&self) -> u64 {
        self.end.sessions
    }

    /// The session with that ordinal, 1 to [`VabReader::sessions`]. It takes two reads for each
    /// hop, and at most two hops for each binary digit of the number of sessions.
    ///
    /// # Errors
    /// When there is no such session, or a commit record on the way to it is damaged.
    pub fn session(&mut self, ordinal: u64) -> Result<Session, ReadError> {
        let sessions = self.end.sessions;
        let no_such_session = ReadError::NoSuchSession { ordinal, sessions };
        let Some(mut session) = self.last.clone() else {
            return Err(no_such_session);
        };
        while session.position.ordinal != ordinal {
            let here = session.position.ordinal;
            let Some((next, offset)) = session.commit.links.toward(here, ordinal) else {
                return Err(no_such_session);
            };
            session = self.commit(Position {
                file: self.header.file,
                offset,
                ordinal: next,
            })?;
        }
        Ok(session)
    }

    /// What the `.VASM` of this file has to say.
    ///
    /// # Errors
    /// When a commit record is damaged.
    pub fn vasm(&mut self) -> Result<Vasm, ReadError> {
        let mut sessions = Vec::new();
        let mut next = self.last.clone();
        while let Some(session) = next {
            sessions.push(StoredSession::of(
                &session.commit,
                &session.position,
                session.length,
            ));
            next = match session.position.ordinal.checked_sub(1) {
                None | Some(0) => None,
                Some(before) => Some(self.before(&session, before)?),
            };
        }
        sessions.reverse();
        Ok(Vasm {
            header: self.header.clone(),
            sessions,
        })
    }

    /// A block of a session: its header and its payload as it is stored.
    ///
    /// # Errors
    /// When there is no such block, or its record is damaged or another one.
    pub fn block(
        &mut self,
        session: &Session,
        stream: u16,
        sequence: u64,
    ) -> Result<(BlockHeader, Bytes), ReadError> {
        let no_such_block = ReadError::NoSuchBlock { stream, sequence };
        let index = session.commit.streams.get(usize::from(stream));
        let entry = match index.and_then(|index| index.find(sequence)) {
            None => return Err(no_such_block),
            Some(Found::Entry(_, entry)) => *entry,
            Some(Found::Segment(reference)) => {
                let segment = self.segment(session, stream, reference)?;
                *segment.entry(sequence).ok_or(no_such_block)?
            }
        };
        self.block_at(session, stream, sequence, &entry)
    }

    /// The sequence number of the block that holds the raw byte at `offset` of a stream; `None`
    /// beyond the end of the stream.
    ///
    /// # Errors
    /// When the index is damaged.
    pub fn block_holding(
        &mut self,
        session: &Session,
        stream: u16,
        offset: u64,
    ) -> Result<Option<u64>, ReadError> {
        let index = session.commit.streams.get(usize::from(stream));
        match index.and_then(|index| index.find_offset(offset)) {
            None => Ok(None),
            Some(Found::Entry(sequence, _)) => Ok(Some(sequence)),
            Some(Found::Segment(reference)) => {
                let segment = self.segment(session, stream, reference)?;
                Ok(segment.entry_at(offset).map(|(sequence, _)| sequence))
            }
        }
    }

    /// The raw bytes of a stream, from its start.
    pub fn stream<'r>(&'r mut self, session: &'r Session, stream: u16) -> StreamReader<'r, R> {
        StreamReader::new(self, session, stream)
    }

    /// The file.
    pub fn into_inner(self) -> R {
        self.source.into_inner()
    }

    fn last_by_trailer(&mut self) -> Result<Option<Session>, ReadError> {
        let length = self.source.length();
        let Some(start) = length.checked_sub(ALIGNMENT) else {
            return Ok(None);
        };
        let block = self.source.read(start, ALIGNMENT)?;
        let Ok(trailer) = Trailer::decode_before(&block, self.header.file, length) else {
            return Ok(None);
        };
        let position = Position {
            file: trailer.file,
            offset: trailer.offset,
            ordinal: trailer.ordinal,
        };
        match self.commit(position) {
            Ok(session) => Ok(Some(session)),
            Err(ReadError::Io(error)) => Err(error.into()),
            // A trailer without its commit is a torn one; the walk finds where the file ends.
            Err(_) => Ok(None),
        }
    }

    fn walk(&mut self) -> Result<(), ReadError> {
        let mut walk = Walk::from(self.end.clone(), self.source.length());
        loop {
            let offset = walk.position().offset;
            let bytes = self.source.read(offset, FRAME_LENGTH as u64)?;
            let Some(frame) = bytes.first_chunk() else {
                break;
            };
            match walk.frame(frame) {
                Ok(Walked::Passed(_)) => {}
                Ok(Walked::Commit { length }) => {
                    let position = *walk.position();
                    let Ok(commit) = walk.commit(&self.source.read(offset, length)?) else {
                        break;
                    };
                    self.last = Some(Session {
                        position,
                        length,
                        commit,
                    });
                }
                Err(_) => break,
            }
        }
        self.end = walk.end().clone();
        Ok(())
    }

    pub(super) fn before(&mut self, session: &Session, ordinal: u64) -> Result<Session, ReadError> {
        let here = session.position.ordinal;
        match session.commit.links.toward(here, ordinal) {
            Some((next, offset)) if next == ordinal => self.commit(Position {
                file: self.header.file,
                offset,
                ordinal,
            }),
            _ => Err(ReadError::NoSuchSession {
                ordinal,
                sessions: self.end.sessions,
            }),
        }
    }

    pub(super) fn commit(&mut self, position: Position) -> Result<Session, ReadError> {
        let offset = position.offset;
        let mut record = self.source.read(offset, ALIGNMENT)?;
        let frame = at(offset, first_frame(&record, &position))?;
        if frame.head.kind() != RecordKind::Commit {
            return at(
                offset,
                Err(DecodeError::WrongKind {
                    expected: RecordKind::Commit,
                    found: frame.head.kind(),
                }),
            );
        }
        let length = frame.placement.length;
        let more = self.source.read(offset + ALIGNMENT, length - ALIGNMENT)?;
        record.extend_from_slice(&more);
        let commit = at(offset, Commit::decode(&record, &position))?;
        Ok(Session {
            position,
            length,
            commit,
        })
    }

    pub(super) fn segment(
        &mut self,
        session: &Session,
        stream: u16,
        reference: &crate::vab::SegmentRef,
    ) -> Result<IndexSegment, ReadError> {
        let position = Position {
            offset: reference.position,
            ..session.position
        };
        let record = self
            .source
            .read(reference.position, reference.record_length())?;
        at(
            reference.position,
            IndexSegment::decode(&record, &position, stream, reference),
        )
    }

    pub(super) fn block_at(
        &mut self,
        session: &Session,
        stream: u16,
        sequence: u64,
        entry: &IndexEntry,
    ) -> Result<(BlockHeader, Bytes), ReadError> {
        let position = Position {
            offset: entry.position,
            ..session.position
        };
        let mut record = self.source.read(entry.position, entry.record_length())?;
        let frame = at(entry.position, first_frame(&record, &position))?;
        let body = record.split_off(FRAME_LENGTH);
        let payload = at(entry.position, frame.payload(&body))?.len();
        let header = at(
            entry.position,
            block_header(&frame, session, stream, sequence, entry),
        )?;
        Ok((header, Bytes::from(body).slice(..payload)))
    }

    /// The end of a stream of an encrypted session with its true checksum, if that can be known.
    #[cfg(feature = "encrypt")]
    pub(super) fn end_of(&self, session: Uuid, stored: StreamEnd) -> Option<StreamEnd> {
        self.decoder.end(session, stored)
    }

    #[cfg(not(feature = "encrypt"))]
    #[expect(clippy::unused_self, reason = "used where the feature is on")]
    pub(super) const fn end_of(&self, _: Uuid, _: StreamEnd) -> Option<StreamEnd> {
        None
    }

    /// The raw bytes of a block.
    pub(super) fn content(
        &mut self,
        header: &BlockHeader,
        payload: Bytes,
    ) -> Result<Bytes, ReadError> {
        self.decoder
            .decode(header, payload)
            .map_err(|source| ReadError::Content {
                stream: header.stream,
                offset: header.offset,
                source,
            })
    }
}

fn first_frame(record: &[u8], position: &Position) -> Result<Frame, DecodeError> {
    let bytes = record.first_chunk().ok_or(DecodeError::Truncated {
        part: Part::RecordHeader,
        needed: FRAME_LENGTH as u64,
        found: wire::size(record.len()),
    })?;
    Frame::decode_at(bytes, position)
}

/// Checks that a frame is that of the block that an index entry means.
fn block_header(
    frame: &Frame,
    session: &Session,
    stream: u16,
    sequence: u64,
    entry: &IndexEntry,
) -> Result<BlockHeader, DecodeError> {
    let Head::Block(header) = frame.head else {
        return Err(DecodeError::WrongKind {
            expected: RecordKind::Block,
            found: frame.head.kind(),
        });
    };
    if header.session != session.commit.session.id {
        return Err(DecodeError::WrongSession {
            expected: session.commit.session.id,
            found: header.session,
        });
    }
    if header.stream != stream || header.sequence != sequence {
        return Err(DecodeError::OutOfSequence {
            stream,
            expected: sequence,
            found: header.sequence,
        });
    }
    let due = IndexEntry::of(&header, entry.position);
    if due != *entry {
        return Err(DecodeError::Disagrees {
            part: Part::BlockHeader,
            field: "checksum",
            expected: entry.header_crc.into(),
            found: due.header_crc.into(),
        });
    }
    Ok(header)
}
