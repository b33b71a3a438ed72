//! Walking forward from record to record, as recovery does.

use uuid::Uuid;

use super::{Commit, End};
use crate::error::{DecodeError, Part};
use crate::limits::MAX_STREAMS;
use crate::record::{FRAME_LENGTH, Frame, Head, Position, RecordKind};
use crate::wire;

/// A walk over the records of a `.VAB` behind a known end.
///
/// Payloads of blocks are never looked at, so nothing in a backup can be taken for a record. The
/// walk does no IO: read the 128 bytes at [`Walk::position`] and hand them to [`Walk::frame`], and
/// so on until it fails. Then [`Walk::end`] is the end of what is committed.
#[derive(Clone, Debug)]
pub struct Walk {
    end: End,
    file_length: u64,
    next: Position,
    seen: Option<Seen>,
}

/// What a frame was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walked {
    /// A record of the session; the walk went past it.
    Passed(Frame),
    /// A commit record of that many bytes at [`Walk::position`]: read it and hand it to
    /// [`Walk::commit`].
    Commit {
        /// Its length in bytes, at most 8 MiB and a little.
        length: u64,
    },
}

/// The part of a session that was walked over.
#[derive(Clone, Debug)]
struct Seen {
    session: Uuid,
    streams: [Totals; MAX_STREAMS],
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Totals {
    blocks: u64,
    bytes: u64,
    stored_bytes: u64,
}

impl Walk {
    /// From `end` through a file that is `file_length` bytes long.
    pub fn from(end: End, file_length: u64) -> Self {
        Self {
            next: end.next(),
            end,
            file_length,
            seen: None,
        }
    }

    /// Where the next record is due.
    pub const fn position(&self) -> &Position {
        &self.next
    }

    /// The end of what is committed, as far as the walk has come.
    pub const fn end(&self) -> &End {
        &self.end
    }

    /// Looks at the next 128 bytes.
    ///
    /// # Errors
    /// When they are not the frame of a record that can be here. The walk is over then.
    pub fn frame(&mut self, bytes: &[u8; FRAME_LENGTH]) -> Result<Walked, DecodeError> {
        let frame = Frame::decode_at(bytes, &self.next)?;
        if frame.placement.end() > self.file_length {
            return Err(DecodeError::Truncated {
                part: Part::RecordPayload,
                needed: frame.placement.end(),
                found: self.file_length,
            });
        }
        if let Some(seen) = &self.seen
            && seen.session != frame.head.session()
        {
            return Err(DecodeError::WrongSession {
                expected: seen.session,
                found: frame.head.session(),
            });
        }
        if frame.head.kind() == RecordKind::Commit {
            return Ok(Walked::Commit {
                length: frame.placement.length,
            });
        }
        let seen = self.seen.get_or_insert_with(|| Seen {
            session: frame.head.session(),
            streams: [Totals::default(); MAX_STREAMS],
        });
        if let Head::Block(header) = &frame.head {
            seen.pass(header)?;
        }
        self.next.offset = frame.placement.end();
        Ok(Walked::Passed(frame))
    }

    /// Looks at the commit record that [`Walk::frame`] found, and goes past it.
    ///
    /// # Errors
    /// When the record is damaged, or does not agree with the blocks before it. The walk is over
    /// then.
    pub fn commit(&mut self, record: &[u8]) -> Result<Commit, DecodeError> {
        let commit = Commit::decode(record, &self.next)?;
        let disagrees = |field, expected, found| {
            Err(DecodeError::Disagrees {
                part: Part::Commit,
                field,
                expected,
                found,
            })
        };
        if commit.start != self.end.committed_length {
            return disagrees("start", self.end.committed_length, commit.start);
        }
        if commit.links != self.end.links {
            return disagrees("links", self.end.sessions, 0);
        }
        if let Some(seen) = self
            .seen
            .as_ref()
            .filter(|s| s.session != commit.session.id)
        {
            return Err(DecodeError::WrongSession {
                expected: seen.session,
                found: commit.session.id,
            });
        }
        let walked = self.seen.as_ref().map(|seen| seen.streams);
        let walked = walked.unwrap_or([Totals::default(); MAX_STREAMS]);
        for (at, totals) in walked.iter().enumerate() {
            let end = commit.session.streams.get(at);
            let due = end.map_or(Totals::default(), |end| Totals {
                blocks: end.blocks,
                bytes: end.bytes,
                stored_bytes: end.stored_bytes,
            });
            if *totals != due {
                return disagrees("blocks of a stream", totals.blocks, due.blocks);
            }
        }
        self.end = End::after(&commit, &self.next, wire::size(record.len()));
        self.next = self.end.next();
        self.seen = None;
        Ok(commit)
    }
}

impl Seen {
    fn pass(&mut self, header: &crate::block::BlockHeader) -> Result<(), DecodeError> {
        let Some(totals) = self.streams.get_mut(usize::from(header.stream)) else {
            return Err(DecodeError::InvalidValue {
                part: Part::BlockHeader,
                field: "stream",
                found: header.stream.into(),
            });
        };
        if header.sequence != totals.blocks {
            return Err(DecodeError::OutOfSequence {
                stream: header.stream,
                expected: totals.blocks,
                found: header.sequence,
            });
        }
        if header.offset != totals.bytes {
            return Err(DecodeError::Disagrees {
                part: Part::BlockHeader,
                field: "offset",
                expected: totals.bytes,
                found: header.offset,
            });
        }
        totals.blocks += 1;
        totals.bytes = header.end();
        totals.stored_bytes = totals
            .stored_bytes
            .saturating_add(header.stored_length.into());
        Ok(())
    }
}
