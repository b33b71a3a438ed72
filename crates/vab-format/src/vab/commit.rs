//! Commit records: with one a session becomes visible.

use crate::checksum;
use crate::error::{DecodeError, EncodeError, Part};
use crate::limits::{MAX_COMMIT_LENGTH, MAX_SESSION_RECORD_LENGTH, MAX_STREAMS};
use crate::record::{FRAME_LENGTH, Frame, Head, Position, RecordHeader, RecordKind, Trailer};
use crate::session::SessionRecord;
use crate::vab::{Links, StreamIndex};
use crate::wire::{self, Fields};

const PART: Part = Part::Commit;

/// The end of a committed session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Commit {
    /// Where the session's first record begins: the committed length before it.
    pub start: u64,
    /// The way to earlier commits.
    pub links: Links,
    /// What was backed up.
    pub session: SessionRecord,
    /// Where the blocks are, for each stream of the session.
    pub streams: Vec<StreamIndex>,
}

impl Commit {
    /// The bytes of the record at `position`, padding and trailer included.
    ///
    /// # Errors
    /// When a name is longer than its limit, or the record longer than
    /// [`MAX_COMMIT_LENGTH`]: the session has too many blocks.
    pub fn encode(&self, position: &Position) -> Result<Vec<u8>, EncodeError> {
        let payload = self.payload()?;
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        if length > MAX_COMMIT_LENGTH {
            return Err(EncodeError::OverLimit {
                part: PART,
                field: "index",
                length: wire::size(payload.len()),
                limit: MAX_COMMIT_LENGTH.into(),
            });
        }
        let header = RecordHeader {
            kind: RecordKind::Commit,
            session: self.session.id,
            stream: 0,
            count: 0,
            sequence: 0,
            length,
            crc: checksum::crc32c(&payload),
        };
        let frame = Frame::new(Head::Other(header), position);
        let whole = usize::try_from(frame.placement.length).unwrap_or(usize::MAX);
        let mut record = Vec::with_capacity(whole);
        record.extend_from_slice(&frame.encode());
        record.extend_from_slice(&payload);
        record.resize(whole.saturating_sub(Trailer::LENGTH), 0);
        if let Some(trailer) = frame.trailer() {
            record.extend_from_slice(&trailer.encode());
        }
        Ok(record)
    }

    /// Reads the whole record, frame, padding and trailer included, that is due at `position`.
    ///
    /// # Errors
    /// When the record is damaged or does not belong there.
    pub fn decode(record: &[u8], position: &Position) -> Result<Self, DecodeError> {
        let (frame_bytes, body) = record
            .split_first_chunk::<FRAME_LENGTH>()
            .ok_or(cut_short(FRAME_LENGTH as u64, record))?;
        let frame = Frame::decode_at(frame_bytes, position)?;
        let Head::Other(header) = frame.head else {
            return Err(wrong_kind(&frame));
        };
        if header.kind != RecordKind::Commit {
            return Err(wrong_kind(&frame));
        }
        let commit = Self::read(frame.payload(body)?, position)?;
        if commit.session.id != header.session {
            return Err(DecodeError::WrongSession {
                expected: header.session,
                found: commit.session.id,
            });
        }
        Ok(commit)
    }

    fn payload(&self) -> Result<Vec<u8>, EncodeError> {
        let mut out = Vec::with_capacity(1024);
        out.extend_from_slice(&self.start.to_le_bytes());
        self.links.encode(&mut out);
        let session = self.session.encode()?;
        let limit = MAX_SESSION_RECORD_LENGTH as u64;
        wire::put_count(&mut out, PART, "session record", session.len(), limit)?;
        out.extend_from_slice(&session);
        wire::put_count(
            &mut out,
            PART,
            "streams",
            self.streams.len(),
            MAX_STREAMS as u64,
        )?;
        for stream in &self.streams {
            stream.encode(&mut out)?;
        }
        Ok(out)
    }

    fn read(payload: &[u8], position: &Position) -> Result<Self, DecodeError> {
        let mut fields = Fields::new(PART, payload);
        let start = fields.u64()?;
        if start > position.offset {
            return Err(fields.invalid("start of the session", start));
        }
        let links = Links::decode(&mut fields, position.ordinal, position.offset)?;
        let length = fields.count("session record", MAX_SESSION_RECORD_LENGTH as u64)?;
        let session = SessionRecord::decode(fields.take(length)?)?;
        let count = fields.count("streams", MAX_STREAMS as u64)?;
        if count != session.streams.len() {
            return Err(fields.invalid("streams", wire::size(count)));
        }
        let mut streams = Vec::with_capacity(count);
        for end in &session.streams {
            let stream = StreamIndex::decode(&mut fields, end)?;
            stream.check_within(start, position.offset)?;
            streams.push(stream);
        }
        fields.finish()?;
        Ok(Self {
            start,
            links,
            session,
            streams,
        })
    }
}

fn cut_short(needed: u64, record: &[u8]) -> DecodeError {
    DecodeError::Truncated {
        part: PART,
        needed,
        found: wire::size(record.len()),
    }
}

fn wrong_kind(frame: &Frame) -> DecodeError {
    DecodeError::WrongKind {
        expected: RecordKind::Commit,
        found: frame.head.kind(),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::block::BlockHeader;
    use crate::vab::{IndexEntry, SegmentRef};

    const POSITION: Position = Position {
        file: Uuid::from_u128(1),
        offset: 40_960,
        ordinal: 2,
    };

    fn commit() -> Commit {
        let id = Uuid::from_u128(5);
        let blocks = [(0, 12_288), (1, 16_384)];
        let entry = |(sequence, position): (u64, u64)| {
            let header = BlockHeader::for_raw(id, 0, sequence, sequence * 4, b"rows");
            IndexEntry::of(&header, position)
        };
        let stream = StreamIndex {
            segments: Vec::new(),
            tail: blocks.map(entry).to_vec(),
        };
        let end = crate::stream::StreamEnd {
            stream: 0,
            blocks: 2,
            bytes: 8,
            stored_bytes: 8,
            crc: checksum::crc32c(b"rowsrows"),
        };
        Commit {
            start: 12_288,
            links: Links::none().following(1, 8192),
            session: SessionRecord::opaque(id, "job", "database", vec![end]),
            streams: vec![stream],
        }
    }

    #[test]
    fn goes_both_ways() {
        let record = commit().encode(&POSITION).unwrap();
        assert_eq!(record.len(), 4096);
        assert_eq!(Commit::decode(&record, &POSITION), Ok(commit()));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let mut record = commit().encode(&POSITION).unwrap();
        for bit in 0..record.len() * 8 {
            record[bit / 8] ^= 1 << (bit % 8);
            assert!(Commit::decode(&record, &POSITION).is_err(), "bit {bit}");
            record[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn every_truncation_is_noticed() {
        let record = commit().encode(&POSITION).unwrap();
        for length in 0..record.len() {
            assert!(Commit::decode(&record[..length], &POSITION).is_err());
        }
    }

    #[test]
    fn an_index_that_leaves_its_session_or_its_stream_is_refused() {
        let changes: [fn(&mut Commit); 8] = [
            |commit| commit.start = 40_961,
            |commit| commit.start = 16_384,
            |commit| commit.streams[0].tail[1].position = 40_960,
            |commit| commit.streams[0].tail[1].position = 12_288,
            |commit| commit.streams[0].tail[1].start = 5,
            |commit| commit.streams[0].tail[1].raw_length = 5,
            |commit| commit.streams[0].tail.truncate(1),
            |commit| {
                commit.streams[0].segments.push(SegmentRef {
                    sequence: 0,
                    start: 0,
                    position: 12_288,
                    count: 0,
                    crc: 0,
                });
            },
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut commit = commit();
            change(&mut commit);
            let record = commit.encode(&POSITION).unwrap();
            assert!(Commit::decode(&record, &POSITION).is_err(), "{number}");
        }
    }
}
