//! Walks over a medium in the tape format, from block to block and from stream to stream.

use super::block::{
    BLOCK_HEADER, BlockHeader, CONFIG, CONFIG_FIRST, CONFIG_LAST, FAMILY, FILE_MARK, PAD, SECTOR,
    SET_START, STREAM_HEADER, StreamHeader, TAPE,
};
use super::config::MAX_CONFIG;
use super::contents::Contents;
use super::intake::Intake;
use super::{Expected, MtfError, NativeMedium, SetFacts, Tag};

/// Walks over a medium in the tape format, whose first bytes have been recognised.
#[derive(Debug)]
pub(super) struct Walk {
    state: State,
    intake: Intake,
    /// What was skipped or is being skipped, for messages: where, what, how long.
    skipping: Option<(u64, Expected, u64)>,
    /// Where the block began that is being read.
    block_at: u64,
    contents: Contents,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Waits for a block header.
    Header,
    /// Waits for the rest of a block's own fields.
    Block(BlockHeader),
    /// Waits for a stream header of a block.
    StreamHeader(Tag),
    /// Waits for the bytes of a stream.
    Stream(Tag, StreamHeader),
    /// At the end of a set: another one may begin.
    AfterSet,
    /// After the last set.
    Trailing,
}

impl Walk {
    pub(super) fn new() -> Self {
        Self {
            state: State::Header,
            intake: Intake::new(BLOCK_HEADER),
            skipping: None,
            block_at: 0,
            contents: Contents::default(),
        }
    }

    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<(), MtfError> {
        while !bytes.is_empty() {
            bytes = self.intake.take(bytes);
            while self.intake.is_ready() {
                self.step()?;
            }
        }
        Ok(())
    }

    pub(super) fn intake(&self) -> &Intake {
        &self.intake
    }

    pub(super) fn skip(&mut self, bytes: u64) -> u64 {
        self.intake.pass(bytes)
    }

    pub(super) fn sets(&self) -> &[SetFacts] {
        self.contents.sets()
    }

    /// Whether the last set that began is closed.
    pub(super) fn is_whole(&self) -> bool {
        match self.state {
            State::AfterSet => self.intake.skippable() == 0 && !self.begins_like_a_set(),
            State::Trailing => true,
            _ => false,
        }
    }

    pub(super) fn finish(self) -> Result<NativeMedium, MtfError> {
        if !self.is_whole() {
            return Err(self.truncated());
        }
        let length = self.intake.position();
        let trailing = length.saturating_sub(self.block_at);
        self.contents.finish(length, trailing)
    }

    /// Acts on what the state waited for, which was collected.
    fn step(&mut self) -> Result<(), MtfError> {
        match self.state {
            State::Header => self.on_header(),
            State::Block(header) => self.on_block(header),
            State::StreamHeader(block) => self.on_stream_header(block),
            State::Stream(block, stream) => self.on_stream(block, stream),
            State::AfterSet => {
                self.on_after_set();
                Ok(())
            }
            State::Trailing => {
                self.want(State::Trailing, u64::MAX, usize::MAX);
                Ok(())
            }
        }
    }

    fn on_header(&mut self) -> Result<(), MtfError> {
        let Ok(bytes) = <&[u8; BLOCK_HEADER]>::try_from(self.intake.bytes()) else {
            return Err(self.truncated());
        };
        let header = BlockHeader::decode(bytes, self.block_at)?;
        self.contents.check_order(header.tag, self.block_at)?;
        let length = if header.tag == FILE_MARK {
            // Enough to tell the length of the block.
            BLOCK_HEADER + 4
        } else {
            usize::from(header.first_stream)
        };
        if length < BLOCK_HEADER {
            return Err(MtfError::Field {
                offset: self.block_at,
                field: "the offset of the block's first stream",
                found: format!("{length}, within the block's header"),
            });
        }
        self.state = State::Block(header);
        self.intake.extend_to(length);
        Ok(())
    }

    fn on_block(&mut self, header: BlockHeader) -> Result<(), MtfError> {
        let bytes = self.intake.bytes();
        self.contents
            .on_block(header.tag, header.first_stream, bytes, self.block_at)?;
        if header.tag == FILE_MARK {
            let length = u64::from(self.contents.block_size());
            let rest = length.saturating_sub(self.intake.collected());
            self.pass(Expected::Block(header.tag), self.block_at, length);
            self.next_block(rest);
        } else {
            self.want(State::StreamHeader(header.tag), 0, STREAM_HEADER);
        }
        Ok(())
    }

    fn on_stream_header(&mut self, block: Tag) -> Result<(), MtfError> {
        let at = self.intake.collected_at();
        let Ok(bytes) = <&[u8; STREAM_HEADER]>::try_from(self.intake.bytes()) else {
            return Err(self.truncated());
        };
        let stream = StreamHeader::decode(bytes, at, block)?;
        let what = Expected::Stream {
            block,
            stream: stream.tag,
        };
        let is_read = (block == TAPE && stream.tag == FAMILY)
            || ((block == CONFIG_FIRST || block == CONFIG_LAST) && stream.tag == CONFIG);
        let limit = if is_read {
            MAX_CONFIG.min(self.contents.room())
        } else {
            u64::MAX >> 1
        };
        let begin = self.intake.position();
        let end = begin.checked_add(stream.length);
        let (Some(end), true) = (end, stream.length <= limit) else {
            return Err(MtfError::TooLong {
                offset: at,
                what,
                length: stream.length,
                limit,
            });
        };
        self.contents.on_stream(stream);
        self.pass(what, begin, stream.length);
        if is_read {
            let length = usize::try_from(stream.length).unwrap_or(usize::MAX);
            self.want(State::Stream(block, stream), 0, length);
            return Ok(());
        }
        if stream.tag == PAD {
            if end % SECTOR != 0 {
                return Err(MtfError::Field {
                    offset: at,
                    field: "the length of the padding",
                    found: format!("{}, which ends between blocks", stream.length),
                });
            }
            self.next_block(stream.length);
        } else {
            let skip = stream.length.saturating_add(padding(end));
            self.want(State::StreamHeader(block), skip, STREAM_HEADER);
        }
        Ok(())
    }

    fn on_stream(&mut self, block: Tag, stream: StreamHeader) -> Result<(), MtfError> {
        let at = self.intake.collected_at();
        self.contents
            .on_stream_bytes(block, self.intake.bytes(), at)?;
        self.pass(
            Expected::Stream {
                block,
                stream: stream.tag,
            },
            at,
            stream.length,
        );
        let skip = padding(self.intake.position());
        self.want(State::StreamHeader(block), skip, STREAM_HEADER);
        Ok(())
    }

    fn on_after_set(&mut self) {
        if self.begins_like_a_set() {
            self.state = State::Header;
            self.intake.extend_to(BLOCK_HEADER);
        } else {
            self.want(State::Trailing, u64::MAX, usize::MAX);
        }
    }

    fn begins_like_a_set(&self) -> bool {
        let bytes = self.intake.bytes();
        !bytes.is_empty() && (SET_START.0.starts_with(bytes) || bytes.starts_with(&SET_START.0))
    }

    /// The next block begins after `skip` more bytes.
    fn next_block(&mut self, skip: u64) {
        self.block_at = self.intake.position().saturating_add(skip);
        if self.contents.is_closed() {
            self.want(State::AfterSet, skip, SET_START.0.len());
        } else {
            self.want(State::Header, skip, BLOCK_HEADER);
        }
    }

    fn want(&mut self, state: State, skip: u64, wanted: usize) {
        self.state = state;
        self.intake.begin(skip, wanted);
    }

    fn pass(&mut self, what: Expected, at: u64, length: u64) {
        self.skipping = Some((at, what, length));
    }

    /// What to say when the bytes end here.
    fn truncated(&self) -> MtfError {
        if let Some((offset, expected, needed)) = self.skipping
            && self.intake.position() < offset.saturating_add(needed)
            && self.intake.skippable() > 0
        {
            return MtfError::Truncated {
                offset,
                expected,
                needed,
                found: self.intake.position().saturating_sub(offset),
            };
        }
        let expected = match self.state {
            State::Block(header) => Expected::Block(header.tag),
            State::StreamHeader(block) => Expected::StreamHeader { block },
            State::Stream(block, stream) => Expected::Stream {
                block,
                stream: stream.tag,
            },
            State::Header | State::AfterSet | State::Trailing => Expected::BlockHeader,
        };
        MtfError::Truncated {
            offset: self.intake.collected_at(),
            expected,
            // What is still skipped is the padding before it.
            needed: self.intake.wanted().saturating_add(self.intake.skippable()),
            found: self.intake.collected(),
        }
    }
}

/// Bytes from `end` to the next multiple of four, where the next stream begins.
fn padding(end: u64) -> u64 {
    end.wrapping_neg() % 4
}
