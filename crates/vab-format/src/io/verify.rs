//! Reading everything of a session and checking every byte of it.

use std::io::{Read, Seek};

use bytes::Bytes;

use super::reader::{Session, VabReader};
use super::source::{ReadError, at};
use crate::block::BlockHeader;
use crate::checksum;
use crate::error::{DecodeError, Part};
use crate::limits::{ALIGNMENT, MAX_STREAMS};
use crate::record::{FRAME_LENGTH, Frame, Head};
use crate::stream::StreamEnd;
use crate::vab::{End, Found, IndexEntry, IndexSegment, KeyArea, VabHeader, Walk, Walked};
use crate::wire;

impl<R: Read + Seek> VabReader<R> {
    /// Checks every byte of every session, and what is between the header and the first of them.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify_all(&mut self) -> Result<(), ReadError> {
        let mut start = VabHeader::LENGTH as u64;
        if self.header().features.is_encrypted() {
            let area = self.key_area()?;
            at(start, KeyArea::check(&area))?;
            start = KeyArea::RANGE.end;
        }
        let room = self.source.read(start, self.header().data_start - start)?;
        at(start, wire::zero(Part::VabHeader, start, &room))?;
        for ordinal in 1..=self.sessions() {
            let session = self.session(ordinal)?;
            self.verify(&session)?;
        }
        Ok(())
    }

    /// Checks every byte of one session: each record, the index, the order of the blocks, the
    /// totals and checksums of the streams, the commit and the session's place behind the one
    /// before. Raw bytes are checked too where this program can decode them.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&mut self, session: &Session) -> Result<(), ReadError> {
        let end = match session.position.ordinal {
            1 => End::of_new(self.header()),
            ordinal => {
                let before = self.before(session, ordinal - 1)?;
                End::after(&before.commit, &before.position, before.length)
            }
        };
        let encrypted = self.header().features.is_encrypted();
        if session.commit.session.encrypted != encrypted {
            let mixed = DecodeError::Disagrees {
                part: Part::SessionRecord,
                field: "encryption",
                expected: encrypted.into(),
                found: session.commit.session.encrypted.into(),
            };
            return at(session.position.offset, Err(mixed));
        }
        let mut walk = Walk::from(end, self.source.length());
        let mut streams = Streams::default();
        loop {
            let offset = walk.position().offset;
            let mut record = self.source.read(offset, ALIGNMENT)?;
            let Some(bytes) = record.first_chunk() else {
                let cut_short = DecodeError::Truncated {
                    part: Part::RecordHeader,
                    needed: FRAME_LENGTH as u64,
                    found: wire::size(record.len()),
                };
                return at(offset, Err(cut_short));
            };
            let walked = at(offset, walk.frame(bytes))?;
            let length = match &walked {
                Walked::Passed(frame) => frame.placement.length,
                Walked::Commit { length } => *length,
            };
            record.append(&mut self.source.read(offset + ALIGNMENT, length - ALIGNMENT)?);
            match walked {
                Walked::Passed(frame) => {
                    let body = record.split_off(FRAME_LENGTH);
                    let payload = at(offset, frame.payload(&body))?.len();
                    if let Head::Block(header) = frame.head {
                        let entry = self.entry_of(session, &header, &mut streams)?;
                        at(offset, check_entry(&frame, &header, &entry))?;
                        let payload = Bytes::from(body).slice(..payload);
                        let crc = self.raw_crc(&header, payload)?;
                        streams.add(&header, crc);
                    }
                }
                Walked::Commit { .. } => {
                    let commit = at(offset, walk.commit(&record))?;
                    let id = commit.session.id;
                    let ends = commit.session.streams.iter();
                    let ends =
                        ends.map(|end| (!encrypted).then_some(*end).or(self.end_of(id, *end)));
                    return at(offset, streams.check(ends));
                }
            }
        }
    }

    /// The checksum of a block's raw bytes; `None` where it cannot be known.
    fn raw_crc(&mut self, header: &BlockHeader, payload: Bytes) -> Result<Option<u32>, ReadError> {
        match self.content(header, payload) {
            Ok(raw) => Ok(Some(checksum::crc32c(&raw))),
            // The payload is what the source made. Whether it is what the engine made cannot be
            // seen here, but the source wrote down what it read.
            Err(ReadError::Content { source, .. }) if !source.is_damage() => {
                Ok((!header.is_encrypted()).then_some(header.raw_crc))
            }
            Err(error) => Err(error),
        }
    }

    fn entry_of(
        &mut self,
        session: &Session,
        header: &BlockHeader,
        streams: &mut Streams,
    ) -> Result<IndexEntry, ReadError> {
        let (stream, sequence) = (header.stream, header.sequence);
        let no_such_block = || ReadError::NoSuchBlock { stream, sequence };
        let slot = streams.of(stream).ok_or_else(no_such_block)?;
        if let Some(entry) = slot.segment.as_ref().and_then(|s| s.entry(sequence)) {
            return Ok(*entry);
        }
        let index = session.commit.streams.get(usize::from(stream));
        match index.and_then(|index| index.find(sequence)) {
            None => Err(no_such_block()),
            Some(Found::Entry(_, entry)) => Ok(*entry),
            Some(Found::Segment(reference)) => {
                let segment = self.segment(session, stream, reference)?;
                let entry = segment.entry(sequence).copied();
                slot.segment = Some(segment);
                entry.ok_or_else(no_such_block)
            }
        }
    }
}

fn check_entry(frame: &Frame, header: &BlockHeader, entry: &IndexEntry) -> Result<(), DecodeError> {
    let due = IndexEntry::of(header, frame.placement.offset);
    if due == *entry {
        return Ok(());
    }
    Err(DecodeError::Disagrees {
        part: Part::IndexSegment,
        field: "position of a block",
        expected: due.position,
        found: entry.position,
    })
}

/// What is kept of each stream on the way through a session.
struct Streams {
    each: [Slot; MAX_STREAMS],
}

#[derive(Default)]
struct Slot {
    blocks: u64,
    crc: Option<u32>,
    segment: Option<IndexSegment>,
}

impl Default for Streams {
    fn default() -> Self {
        Self {
            each: std::array::from_fn(|_| Slot::default()),
        }
    }
}

impl Streams {
    fn of(&mut self, stream: u16) -> Option<&mut Slot> {
        self.each.get_mut(usize::from(stream))
    }

    fn add(&mut self, header: &BlockHeader, crc: Option<u32>) {
        if let Some(slot) = self.of(header.stream) {
            let before = if slot.blocks == 0 { Some(0) } else { slot.crc };
            slot.blocks += 1;
            slot.crc = before
                .zip(crc)
                .map(|(before, crc)| checksum::combine(before, crc, header.raw_length.into()));
        }
    }

    /// Checks the checksums against the ends of the streams, where both are known.
    fn check(&self, ends: impl Iterator<Item = Option<StreamEnd>>) -> Result<(), DecodeError> {
        for (slot, end) in self.each.iter().zip(ends) {
            let found = if slot.blocks == 0 { Some(0) } else { slot.crc };
            if let (Some(found), Some(end)) = (found, end)
                && found != end.crc
            {
                return Err(DecodeError::Checksum {
                    part: Part::StreamEnd,
                    expected: end.crc,
                    found,
                });
            }
        }
        Ok(())
    }
}
