//! Reads a medium while its bytes pass by, in pieces of any size.

use super::block::{
    BLOCK_HEADER, BlockHeader, CONFIG, CONFIG_FIRST, CONFIG_LAST, FAMILY, FILE_MARK, PAD, SECTOR,
    SET_START, STREAM_HEADER, StreamHeader, TAPE,
};
use super::config::MAX_CONFIG;
use super::contents::Contents;
use super::facts::CompressedContainer;
use super::{Expected, Medium, MtfError, SetFacts, Tag};

const COMPRESSED: &[u8] = b"MSSQLBAK";

/// A reader that is pushed a medium's bytes, keeps what it needs of them and checks the rest.
///
/// It holds one block descriptor (below 64 KiB) or one configuration record (at most 16 MiB) at a
/// time. After an error it stays at that error.
///
/// ```
/// use vab_engine::mtf::{MtfError, StreamingReader};
///
/// let mut reader = StreamingReader::new();
/// let error = reader.push(b"PK\x03\x04 is no backup").unwrap_err();
/// assert!(matches!(error, MtfError::NotABackup { .. }));
/// ```
#[derive(Debug)]
pub struct StreamingReader {
    state: State,
    /// Collected bytes of what the state waits for.
    buffer: Vec<u8>,
    /// How many bytes the state waits for, those in the buffer included.
    wanted: usize,
    /// How many bytes pass by before the state's own ones.
    skip: u64,
    /// What was skipped or is being skipped, for messages: where, what, how long.
    skipping: Option<(u64, Expected, u64)>,
    /// Bytes that were pushed.
    position: u64,
    /// Where the block began that is being read.
    block_at: u64,
    contents: Contents,
    failed: Option<MtfError>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Waits for the first bytes.
    Magic,
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
    /// In a compressed container.
    Opaque,
}

impl Default for StreamingReader {
    fn default() -> Self {
        Self::new()
    }
}

impl StreamingReader {
    /// A reader at the beginning of a medium.
    pub fn new() -> Self {
        Self {
            state: State::Magic,
            buffer: Vec::new(),
            wanted: COMPRESSED.len(),
            skip: 0,
            skipping: None,
            position: 0,
            block_at: 0,
            contents: Contents::default(),
            failed: None,
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// When they are not those of a backup, and the same error ever after.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), MtfError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let result = self.take(bytes);
        if let Err(error) = &result {
            self.failed = Some(error.clone());
            self.buffer = Vec::new();
        }
        result
    }

    /// How many bytes from here on hold nothing to read: a file may seek over them and
    /// [`skip`](Self::skip) them.
    pub fn skippable(&self) -> u64 {
        match self.state {
            State::Trailing | State::Opaque => u64::MAX,
            _ => self.skip,
        }
    }

    /// Passes over at most [`skippable`](Self::skippable) bytes and returns how many.
    pub fn skip(&mut self, bytes: u64) -> u64 {
        let skipped = bytes.min(self.skippable());
        self.position = self.position.saturating_add(skipped);
        self.skip = self.skip.saturating_sub(skipped);
        skipped
    }

    /// How many bytes of the next ones are wanted, at least one; more may be pushed.
    pub fn wanted(&self) -> usize {
        self.wanted.saturating_sub(self.buffer.len()).max(1)
    }

    /// How many bytes have passed.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The backup sets whose first configuration record has passed. That of the last one is
    /// `None` in [`SetFacts::last`] until its end has passed.
    pub fn sets(&self) -> &[SetFacts] {
        self.contents.sets()
    }

    /// The medium, when its end has been reached.
    ///
    /// # Errors
    /// When the bytes ended too early, or with the error that was met before.
    pub fn finish(self) -> Result<Medium, MtfError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.skip > 0 {
            return Err(self.truncated());
        }
        match self.state {
            State::Opaque => Ok(Medium::Compressed(CompressedContainer {
                length: self.position,
            })),
            State::AfterSet if !self.begins_like_a_set() => {
                let trailing = u64::try_from(self.buffer.len()).unwrap_or_default();
                self.contents.finish(self.position, trailing)
            }
            State::Trailing => {
                let trailing = self.position.saturating_sub(self.block_at);
                self.contents.finish(self.position, trailing)
            }
            State::Magic
                if !(self.buffer.starts_with(&TAPE.0)
                    || TAPE.0.starts_with(&self.buffer)
                    || COMPRESSED.starts_with(&self.buffer))
                    || self.buffer.is_empty() =>
            {
                Err(MtfError::NotABackup { found: self.buffer })
            }
            _ => Err(self.truncated()),
        }
    }

    fn take(&mut self, mut bytes: &[u8]) -> Result<(), MtfError> {
        while !bytes.is_empty() {
            let pending = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            let skipped = self.skip(pending);
            let passed = usize::try_from(skipped)
                .unwrap_or(usize::MAX)
                .min(bytes.len());
            let (_, rest) = bytes.split_at(passed);
            let (taken, rest) = rest.split_at(self.wanted_now(rest.len()));
            self.buffer.extend_from_slice(taken);
            self.position = self
                .position
                .saturating_add(u64::try_from(taken.len()).unwrap_or_default());
            bytes = rest;
            while self.skip == 0 && self.buffer.len() >= self.wanted {
                self.step()?;
            }
        }
        Ok(())
    }

    fn wanted_now(&self, there: usize) -> usize {
        self.wanted.saturating_sub(self.buffer.len()).min(there)
    }

    /// Acts on what the state waited for, which is in the buffer.
    fn step(&mut self) -> Result<(), MtfError> {
        match self.state {
            State::Magic => self.on_magic(),
            State::Header => self.on_header(),
            State::Block(header) => self.on_block(header),
            State::StreamHeader(block) => self.on_stream_header(block),
            State::Stream(block, stream) => self.on_stream(block, stream),
            State::AfterSet => {
                self.on_after_set();
                Ok(())
            }
            // These want nothing: everything is skippable.
            State::Trailing | State::Opaque => Ok(()),
        }
    }

    fn on_magic(&mut self) -> Result<(), MtfError> {
        if self.buffer == COMPRESSED {
            self.want(State::Opaque, usize::MAX);
            Ok(())
        } else if self.buffer.starts_with(&TAPE.0) {
            self.state = State::Header;
            self.wanted = BLOCK_HEADER;
            Ok(())
        } else {
            Err(MtfError::NotABackup {
                found: self.buffer.clone(),
            })
        }
    }

    fn on_header(&mut self) -> Result<(), MtfError> {
        let Ok(bytes) = <&[u8; BLOCK_HEADER]>::try_from(self.buffer.as_slice()) else {
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
        self.wanted = length;
        Ok(())
    }

    fn on_block(&mut self, header: BlockHeader) -> Result<(), MtfError> {
        self.contents
            .on_block(header.tag, header.first_stream, &self.buffer, self.block_at)?;
        if header.tag == FILE_MARK {
            let length = u64::from(self.contents.block_size());
            let done = u64::try_from(self.buffer.len()).unwrap_or_default();
            self.pass(Expected::Block(header.tag), self.block_at, length);
            self.skip = length.saturating_sub(done);
            self.next_block(self.block_at.saturating_add(length));
        } else {
            self.want(State::StreamHeader(header.tag), STREAM_HEADER);
        }
        Ok(())
    }

    fn on_stream_header(&mut self, block: Tag) -> Result<(), MtfError> {
        let at = self.collected_at();
        let Ok(bytes) = <&[u8; STREAM_HEADER]>::try_from(self.buffer.as_slice()) else {
            return Err(self.truncated());
        };
        let stream = StreamHeader::decode(bytes, at, block)?;
        let what = Expected::Stream {
            block,
            stream: stream.tag,
        };
        let is_read = (block == TAPE && stream.tag == FAMILY)
            || ((block == CONFIG_FIRST || block == CONFIG_LAST) && stream.tag == CONFIG);
        let limit = if is_read { MAX_CONFIG } else { u64::MAX >> 1 };
        let end = self.position.checked_add(stream.length);
        let (Some(end), true) = (end, stream.length <= limit) else {
            return Err(MtfError::TooLong {
                offset: at,
                what,
                length: stream.length,
                limit,
            });
        };
        self.contents.on_stream(stream);
        self.pass(what, self.position, stream.length);
        if is_read {
            let length = usize::try_from(stream.length).unwrap_or(usize::MAX);
            self.want(State::Stream(block, stream), length);
            return Ok(());
        }
        self.skip = stream.length;
        if stream.tag == PAD {
            if end % SECTOR != 0 {
                return Err(MtfError::Field {
                    offset: at,
                    field: "the length of the padding",
                    found: format!("{}, which ends between blocks", stream.length),
                });
            }
            self.next_block(end);
        } else {
            self.skip = stream.length.saturating_add(padding(end));
            self.want(State::StreamHeader(block), STREAM_HEADER);
        }
        Ok(())
    }

    fn on_stream(&mut self, block: Tag, stream: StreamHeader) -> Result<(), MtfError> {
        let at = self.collected_at();
        self.contents.on_stream_bytes(block, &self.buffer, at)?;
        self.pass(
            Expected::Stream {
                block,
                stream: stream.tag,
            },
            at,
            stream.length,
        );
        self.skip = padding(self.position);
        self.want(State::StreamHeader(block), STREAM_HEADER);
        Ok(())
    }

    fn on_after_set(&mut self) {
        if self.begins_like_a_set() {
            self.state = State::Header;
            self.wanted = BLOCK_HEADER;
        } else {
            self.want(State::Trailing, usize::MAX);
        }
    }

    fn begins_like_a_set(&self) -> bool {
        !self.buffer.is_empty()
            && (SET_START.0.starts_with(&self.buffer) || self.buffer.starts_with(&SET_START.0))
    }

    fn next_block(&mut self, at: u64) {
        self.block_at = at;
        if self.contents.is_closed() {
            self.want(State::AfterSet, SET_START.0.len());
        } else {
            self.want(State::Header, BLOCK_HEADER);
        }
    }

    fn want(&mut self, state: State, wanted: usize) {
        self.state = state;
        self.wanted = wanted;
        self.buffer.clear();
    }

    fn pass(&mut self, what: Expected, at: u64, length: u64) {
        self.skipping = Some((at, what, length));
    }

    /// Where the bytes in the buffer begin.
    fn collected_at(&self) -> u64 {
        let collected = u64::try_from(self.buffer.len()).unwrap_or_default();
        self.position.saturating_sub(collected)
    }

    /// What to say when the bytes end here.
    fn truncated(&self) -> MtfError {
        if let Some((offset, expected, needed)) = self.skipping
            && self.position < offset.saturating_add(needed)
            && self.skip > 0
        {
            return MtfError::Truncated {
                offset,
                expected,
                needed,
                found: self.position.saturating_sub(offset),
            };
        }
        let expected = match self.state {
            State::Magic => Expected::Magic,
            State::Block(header) => Expected::Block(header.tag),
            State::StreamHeader(block) => Expected::StreamHeader { block },
            State::Stream(block, stream) => Expected::Stream {
                block,
                stream: stream.tag,
            },
            State::Header | State::AfterSet | State::Trailing | State::Opaque => {
                Expected::BlockHeader
            }
        };
        MtfError::Truncated {
            offset: self.collected_at(),
            expected,
            // What is still skipped is the padding before it.
            needed: u64::try_from(self.wanted)
                .unwrap_or(u64::MAX)
                .saturating_add(self.skip),
            found: u64::try_from(self.buffer.len()).unwrap_or_default(),
        }
    }
}

/// Bytes from `end` to the next multiple of four, where the next stream begins.
fn padding(end: u64) -> u64 {
    end.wrapping_neg() % 4
}
