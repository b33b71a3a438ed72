//! Appending a session: what to write where.

use uuid::Uuid;

use super::{Commit, IndexBuilder, Links, VabHeader};
use crate::block::{BlockHeader, Codecs};
use crate::error::{AppendError, DecodeError, Part};
use crate::limits::MAX_FILE_LENGTH;
use crate::record::{FRAME_LENGTH, Frame, Position};
use crate::session::SessionRecord;
use crate::stream::StreamEnd;
use crate::wire;

/// Where the committed part of a file ends: all that a writer has to know to append.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct End {
    /// The identity of the file.
    pub file: Uuid,
    /// The committed length in bytes. What lies behind it is not part of the file.
    pub committed_length: u64,
    /// The number of committed sessions, which is the ordinal of the last.
    pub sessions: u64,
    /// The links that the next commit will have.
    pub links: Links,
}

impl End {
    /// The end of a file that has a header and nothing else.
    pub fn of_new(header: &VabHeader) -> Self {
        Self {
            file: header.file,
            committed_length: header.data_start,
            sessions: 0,
            links: Links::none(),
        }
    }

    /// The end of the file whose last commit record is at `position` and has that length.
    pub fn after(commit: &Commit, position: &Position, length: u64) -> Self {
        Self {
            file: position.file,
            committed_length: position.offset.saturating_add(length),
            sessions: position.ordinal,
            links: commit.links.following(position.ordinal, position.offset),
        }
    }

    /// Where the next session's first record is due.
    pub const fn next(&self) -> Position {
        Position {
            file: self.file,
            offset: self.committed_length,
            ordinal: self.sessions.saturating_add(1),
        }
    }
}

/// Bytes and the place they belong at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedRecord {
    /// Where they begin in the file, a multiple of 4096.
    pub offset: u64,
    /// A whole record, a multiple of 4096 long.
    pub bytes: Vec<u8>,
}

/// What to write around the payload of a block, and where
/// ([`RecordBuffer::record`](crate::record::RecordBuffer::record) puts it together).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlacedBlock {
    /// Where the frame begins in the file, a multiple of 4096. The payload follows the frame.
    pub offset: u64,
    /// The frame.
    pub frame: [u8; FRAME_LENGTH],
    /// How many zero bytes follow the payload, 0 to 4095.
    pub padding: usize,
}

/// The last records of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// To be written, and to be made durable together with all blocks, before the commit.
    pub segments: Vec<PlacedRecord>,
    /// To be written when everything before it is durable. The session is committed when this is
    /// durable too.
    pub commit: PlacedRecord,
    /// The end of the file then.
    pub end: End,
}

/// One session that is being appended to a file.
///
/// It gives every record its place and does no IO. When a session is given up, nothing has to be
/// undone: what was written lies behind the committed length, and the next session overwrites it.
#[derive(Clone, Debug)]
pub struct Append {
    end: End,
    next: Position,
    session: Uuid,
    index: IndexBuilder,
    codecs: Codecs,
}

impl Append {
    /// Begins a session of that many streams (at most 64) at the end of a file.
    pub fn begin(end: End, session: Uuid, streams: u16) -> Self {
        Self {
            next: end.next(),
            index: IndexBuilder::new(session, streams),
            session,
            end,
            codecs: Codecs::default(),
        }
    }

    /// Gives a block its place.
    ///
    /// # Errors
    /// When it is not the block that is due in its stream, or the file would become too long.
    /// Nothing is changed then.
    pub fn block(&mut self, header: &BlockHeader) -> Result<PlacedBlock, DecodeError> {
        self.index.check(header)?;
        let frame = Frame::of_block(*header, &self.next);
        if frame.placement.end() > MAX_FILE_LENGTH {
            return Err(DecodeError::OverLimit {
                part: Part::Placement,
                field: "file length",
                length: frame.placement.end(),
                limit: MAX_FILE_LENGTH,
            });
        }
        self.index.push(header, self.next.offset)?;
        self.codecs.insert(header.codec);
        let payload = u64::from(header.stored_length);
        let padding = frame.placement.length - wire::size(FRAME_LENGTH) - payload;
        let placed = PlacedBlock {
            offset: self.next.offset,
            frame: frame.encode(),
            padding: usize::try_from(padding).unwrap_or_default(),
        };
        self.next.offset = frame.placement.end();
        Ok(placed)
    }

    /// An index segment that has become due, to be written like a block. Ask behind every
    /// [`Append::block`]; without asking, the index of a long session stays in memory.
    pub fn segment(&mut self) -> Option<PlacedRecord> {
        self.due_segment(false)
    }

    /// Where the session's records end so far.
    pub const fn length(&self) -> u64 {
        self.next.offset
    }

    /// The totals of the streams so far.
    pub fn ends(&self) -> Vec<StreamEnd> {
        self.index.ends()
    }

    /// How the blocks so far are compressed.
    pub const fn codecs(&self) -> Codecs {
        self.codecs
    }

    /// Ends the session. Which codecs occur is written as it was seen, whatever `record` says.
    ///
    /// # Errors
    /// When `record` is of another session, or claims other totals than those of the blocks that
    /// came, or does not fit the format.
    pub fn commit(mut self, mut record: SessionRecord) -> Result<Closing, AppendError> {
        if record.id != self.session {
            return Err(DecodeError::WrongSession {
                expected: self.session,
                found: record.id,
            }
            .into());
        }
        self.index.check_ends(&record.streams)?;
        if self
            .index
            .is_encrypted()
            .is_some_and(|came| came != record.encrypted)
        {
            return Err(DecodeError::InvalidValue {
                part: Part::SessionRecord,
                field: "encryption",
                found: record.encrypted.into(),
            }
            .into());
        }
        record.codecs = self.codecs;
        let segments = std::iter::from_fn(|| self.due_segment(true)).collect();
        let commit = Commit {
            start: self.end.committed_length,
            links: self.end.links,
            session: record,
            streams: self.index.finish(),
        };
        let bytes = commit.encode(&self.next)?;
        Ok(Closing {
            segments,
            end: End::after(&commit, &self.next, wire::size(bytes.len())),
            commit: PlacedRecord {
                offset: self.next.offset,
                bytes,
            },
        })
    }

    fn due_segment(&mut self, closing: bool) -> Option<PlacedRecord> {
        let bytes = self.index.due_segment(&self.next, closing)?;
        let offset = self.next.offset;
        self.next.offset = offset.saturating_add(wire::size(bytes.len()));
        Some(PlacedRecord { offset, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Codec;
    use crate::limits::MAX_BLOCK_LENGTH;
    use crate::testing::header;

    const SESSION: Uuid = Uuid::from_u128(1);

    /// A block of which only the header is there.
    fn block(sequence: u64, length: u32) -> BlockHeader {
        BlockHeader {
            raw_length: length,
            stored_length: length,
            ..BlockHeader::for_raw(SESSION, 0, sequence, sequence * u64::from(length), b"x")
        }
    }

    fn append() -> Append {
        Append::begin(End::of_new(&header()), SESSION, 1)
    }

    fn record(append: &Append) -> SessionRecord {
        SessionRecord::opaque(SESSION, "job", "database", append.ends())
    }

    #[test]
    fn the_commit_says_which_codecs_occur() {
        let mut append = append();
        let compressed = BlockHeader {
            codec: Codec::Zstd,
            stored_length: 50,
            ..block(0, 100)
        };
        append.block(&compressed).unwrap();
        append.block(&block(1, 100)).unwrap();
        let record = SessionRecord {
            streams: append.ends(),
            ..record(&append)
        };
        let PlacedRecord { offset, bytes } = append.commit(record).unwrap().commit;
        let position = Position {
            offset,
            ..End::of_new(&header()).next()
        };
        let commit = Commit::decode(&bytes, &position).unwrap();
        assert_eq!(commit.session.codecs.to_string(), "zstd");
    }

    #[test]
    fn two_gibibytes_in_blocks_of_one_cost_less_than_half_a_percent() {
        let mut append = append();
        for sequence in 0..2048 {
            append.block(&block(sequence, 1 << 20)).unwrap();
            assert_eq!(append.segment(), None);
        }
        let record = record(&append);
        let length = append.commit(record).unwrap().end.committed_length;
        let overhead = length - (2 << 30);
        assert!(overhead * 200 < 2 << 30, "{overhead} bytes");
    }

    #[test]
    fn the_index_of_a_long_session_does_not_stay_in_memory() {
        let mut append = append();
        let mut segments = 0;
        for sequence in 0..10_000 {
            append.block(&block(sequence, MAX_BLOCK_LENGTH)).unwrap();
            if let Some(segment) = append.segment() {
                assert_eq!(segment.offset + segment.bytes.len() as u64, append.length());
                segments += 1;
            }
        }
        assert_eq!(segments, 2);
        let record = record(&append);
        let closing = append.commit(record).unwrap();
        assert_eq!(closing.segments.len(), 1);
        assert!(closing.commit.bytes.len() <= 4096);
    }

    #[test]
    fn a_refused_block_changes_nothing() {
        let mut append = append();
        append.block(&block(0, 100)).unwrap();
        let length = append.length();
        for refused in [block(0, 100), block(2, 100), block(1, MAX_BLOCK_LENGTH + 1)] {
            assert!(append.block(&refused).is_err());
        }
        assert_eq!(append.length(), length);
        append.block(&block(1, 100)).unwrap();
    }

    #[test]
    fn a_claim_that_is_not_what_came_is_not_committed() {
        let mut append = append();
        append.block(&block(0, 100)).unwrap();
        let claims: [fn(&mut SessionRecord); 6] = [
            |record| record.id = Uuid::from_u128(2),
            |record| record.streams[0].crc ^= 1,
            |record| record.streams[0].bytes += 1,
            |record| record.streams[0].stored_bytes += 1,
            |record| record.streams.clear(),
            |record| record.encrypted = true,
        ];
        for claim in claims {
            let mut record = record(&append);
            claim(&mut record);
            let result = append.clone().commit(record);
            assert!(matches!(result, Err(AppendError::Claim(_))));
        }
        let record = record(&append);
        assert!(append.commit(record).is_ok());
    }
}
