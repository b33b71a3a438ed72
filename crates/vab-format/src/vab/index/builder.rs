//! The index of a session while it is written.

use uuid::Uuid;

use super::{IndexEntry, IndexSegment, StreamIndex};
use crate::block::BlockHeader;
use crate::checksum;
use crate::error::{DecodeError, Part};
use crate::limits::MAX_STREAMS;
use crate::record::Position;
use crate::stream::StreamEnd;
use crate::wire;

/// A stream's entries become a segment when there are this many: 128 KiB.
const SEGMENT_ENTRIES: usize = 4096;

/// At the end, so many entries of a stream stay in the commit.
const INLINE_ENTRIES: usize = 128;

/// Collects where the blocks of a session are, in bounded memory: at most 4096 entries per stream,
/// and 32 bytes for each 4096 blocks before.
///
/// It sees to it that every stream's blocks come in order and without gaps, and knows the totals
/// that the source must claim at the end.
#[derive(Clone, Debug)]
pub struct IndexBuilder {
    session: Uuid,
    encrypted: Option<bool>,
    streams: Vec<Stream>,
}

#[derive(Clone, Debug, Default)]
struct Stream {
    index: StreamIndex,
    blocks: u64,
    bytes: u64,
    stored_bytes: u64,
    crc: u32,
}

impl IndexBuilder {
    /// For `session` with that many streams (at most 64).
    pub fn new(session: Uuid, streams: u16) -> Self {
        let count = usize::from(streams).min(MAX_STREAMS);
        Self {
            session,
            encrypted: None,
            streams: vec![Stream::default(); count],
        }
    }

    /// Adds the block whose record is at `position`.
    ///
    /// # Errors
    /// When a field of the header is out of its range, the block is of another session, of a stream that there is not, encrypted where others
    /// are not, or not the one that is due in its stream. Nothing is changed then.
    pub fn push(&mut self, header: &BlockHeader, position: u64) -> Result<(), DecodeError> {
        self.check(header)?;
        self.encrypted = Some(header.is_encrypted());
        if let Some(stream) = self.streams.get_mut(usize::from(header.stream)) {
            stream.push(header, position);
        }
        Ok(())
    }

    /// Checks that the block is the one that is due in its stream.
    ///
    /// # Errors
    /// As [`IndexBuilder::push`].
    pub fn check(&self, header: &BlockHeader) -> Result<(), DecodeError> {
        let part = Part::BlockHeader;
        header.check()?;
        if header.session != self.session {
            return Err(DecodeError::WrongSession {
                expected: self.session,
                found: header.session,
            });
        }
        if self
            .encrypted
            .is_some_and(|due| due != header.is_encrypted())
        {
            return Err(DecodeError::InvalidValue {
                part,
                field: "encryption",
                found: header.is_encrypted().into(),
            });
        }
        let Some(stream) = self.streams.get(usize::from(header.stream)) else {
            return Err(DecodeError::OverLimit {
                part,
                field: "stream",
                length: header.stream.into(),
                limit: wire::size(self.streams.len()).saturating_sub(1),
            });
        };
        if header.sequence != stream.blocks {
            return Err(DecodeError::OutOfSequence {
                stream: header.stream,
                expected: stream.blocks,
                found: header.sequence,
            });
        }
        if header.offset != stream.bytes {
            return Err(DecodeError::Disagrees {
                part,
                field: "offset",
                expected: stream.bytes,
                found: header.offset,
            });
        }
        Ok(())
    }

    /// Takes the next segment that has to be written before anything else: the bytes of its record
    /// at `position`. `closing` says that the session's last block was added.
    ///
    /// Call it behind every [`IndexBuilder::push`], and until it says `None` when closing.
    pub fn due_segment(&mut self, position: &Position, closing: bool) -> Option<Vec<u8>> {
        let limit = if closing {
            INLINE_ENTRIES + 1
        } else {
            SEGMENT_ENTRIES
        };
        let (number, stream) = (0..)
            .zip(&mut self.streams)
            .find(|(_, stream)| stream.index.tail.len() >= limit)?;
        let segment = IndexSegment {
            session: self.session,
            stream: number,
            sequence: stream.blocks - wire::size(stream.index.tail.len()),
            entries: std::mem::take(&mut stream.index.tail),
        };
        let (record, reference) = segment.encode(position);
        stream.index.segments.push(reference);
        Some(record)
    }

    /// Checks what the source says at the end against what came.
    ///
    /// # Errors
    /// [`DecodeError::Disagrees`] with the first total that is another one, the end-to-end
    /// checksum included where blocks are not encrypted.
    pub fn check_ends(&self, ends: &[StreamEnd]) -> Result<(), DecodeError> {
        let disagrees = |field, expected, found| {
            Err(DecodeError::Disagrees {
                part: Part::StreamEnd,
                field,
                expected,
                found,
            })
        };
        if ends.len() != self.streams.len() {
            return disagrees(
                "streams",
                wire::size(self.streams.len()),
                wire::size(ends.len()),
            );
        }
        for ((number, stream), end) in (0..).zip(&self.streams).zip(ends) {
            let claimed_crc = if self.encrypted == Some(true) {
                stream.crc
            } else {
                end.crc
            };
            for (field, expected, found) in [
                ("stream", number, u64::from(end.stream)),
                ("blocks", stream.blocks, end.blocks),
                ("bytes", stream.bytes, end.bytes),
                ("stored bytes", stream.stored_bytes, end.stored_bytes),
                ("checksum", stream.crc.into(), claimed_crc.into()),
            ] {
                if expected != found {
                    return disagrees(field, expected, found);
                }
            }
        }
        Ok(())
    }

    /// Whether the blocks are encrypted; `None` before the first of them.
    pub const fn is_encrypted(&self) -> Option<bool> {
        self.encrypted
    }

    /// The totals of the streams so far.
    pub fn ends(&self) -> Vec<StreamEnd> {
        let ends = (0..).zip(&self.streams).map(|(number, stream)| StreamEnd {
            stream: number,
            blocks: stream.blocks,
            bytes: stream.bytes,
            stored_bytes: stream.stored_bytes,
            crc: stream.crc,
        });
        ends.collect()
    }

    /// The index for the commit.
    pub fn finish(self) -> Vec<StreamIndex> {
        self.streams
            .into_iter()
            .map(|stream| stream.index)
            .collect()
    }
}

impl Stream {
    fn push(&mut self, header: &BlockHeader, position: u64) {
        self.index.tail.push(IndexEntry::of(header, position));
        self.blocks += 1;
        self.bytes = header.end();
        self.stored_bytes = self
            .stored_bytes
            .saturating_add(header.stored_length.into());
        self.crc = checksum::combine(self.crc, header.raw_crc, header.raw_length.into());
    }
}
