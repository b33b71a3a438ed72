//! Read commands of any size from blocks of any size.
//!
//! At a restore the engine asks for any multiples of its block size, not for the sizes in which
//! the backup was written. A [`Rechunker`] cuts the stream anew.

use std::collections::VecDeque;

use crate::client::ReadCommand;
use crate::code::CompletionCode;
use crate::error::DeviceError;

/// The bytes of arrived blocks, in order, to be taken in pieces of any size.
///
/// ```
/// use vab_vdi::rechunk::Rechunker;
///
/// let mut stream = Rechunker::new();
/// stream.push(vec![1, 2, 3]);
/// stream.push(vec![4, 5]);
/// let mut piece = [0; 4];
/// assert_eq!(stream.take(&mut piece), 4);
/// assert_eq!(piece, [1, 2, 3, 4]);
/// assert_eq!(stream.available(), 1);
/// ```
#[derive(Debug)]
pub struct Rechunker<B> {
    blocks: VecDeque<B>,
    /// Bytes of the first block that are taken already.
    taken: usize,
    available: usize,
    /// The source said that nothing more comes.
    ended: bool,
}

/// Why a read command was not served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError<E> {
    /// The next block could not be had; the command was failed.
    #[error("the next block of the stream could not be had")]
    Source(#[source] E),
    /// The device is dead.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

/// What a served read command was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Served {
    /// All bytes that were asked for.
    Full,
    /// The last bytes of the stream, fewer than were asked for, possibly none.
    End,
}

impl<B: AsRef<[u8]>> Rechunker<B> {
    /// A stream without blocks yet.
    pub fn new() -> Self {
        Self {
            blocks: VecDeque::new(),
            taken: 0,
            available: 0,
            ended: false,
        }
    }

    /// Appends the next block of the stream.
    pub fn push(&mut self, block: B) {
        let length = block.as_ref().len();
        if length > 0 {
            self.available += length;
            self.blocks.push_back(block);
        }
    }

    /// Bytes that arrived and were not taken yet: what is held in memory.
    pub fn available(&self) -> usize {
        self.available
    }

    /// Takes as many bytes as there are and as `into` has room for.
    pub fn take(&mut self, into: &mut [u8]) -> usize {
        let mut filled = 0;
        while let Some(block) = self.blocks.front() {
            let bytes = block.as_ref().get(self.taken..).unwrap_or_default();
            let room = into.get_mut(filled..).unwrap_or_default();
            let count = bytes.len().min(room.len());
            if let (Some(to), Some(from)) = (room.get_mut(..count), bytes.get(..count)) {
                to.copy_from_slice(from);
            }
            filled += count;
            if count < bytes.len() {
                self.taken += count;
                break;
            }
            self.taken = 0;
            self.blocks.pop_front();
        }
        self.available -= filled;
        filled
    }

    /// Fills `into`, with blocks from `next` as they are needed; `None` is the end of the stream,
    /// after which `next` is not called again. Gives fewer bytes than asked for only at the end.
    ///
    /// # Errors
    /// When `next` fails.
    pub fn fill<E>(
        &mut self,
        into: &mut [u8],
        mut next: impl FnMut() -> Result<Option<B>, E>,
    ) -> Result<usize, E> {
        let mut filled = 0;
        loop {
            filled += self.take(into.get_mut(filled..).unwrap_or_default());
            if filled == into.len() || self.ended {
                return Ok(filled);
            }
            match next()? {
                Some(block) => self.push(block),
                None => self.ended = true,
            }
        }
    }

    /// Serves a read command. The last bytes of the stream are completed with "end of data" when
    /// they are fewer than were asked for; if they are just as many, the next read gets none.
    ///
    /// # Errors
    /// When `next` fails, in which case the command is failed with
    /// [`CompletionCode::READ_FAULT`]; or when the device is dead.
    pub fn serve<E>(
        &mut self,
        mut read: ReadCommand<'_>,
        next: impl FnMut() -> Result<Option<B>, E>,
    ) -> Result<Served, ReadError<E>> {
        let size = read.size();
        match self.fill(read.buffer(), next) {
            Ok(bytes) if bytes == size => {
                read.complete(bytes)?;
                Ok(Served::Full)
            }
            Ok(bytes) => {
                read.complete_end_of_data(bytes)?;
                Ok(Served::End)
            }
            Err(error) => {
                // The source's error is the cause; that the device may be dead too adds nothing.
                let _ = read.fail(CompletionCode::READ_FAULT);
                Err(ReadError::Source(error))
            }
        }
    }
}

impl<B: AsRef<[u8]>> Default for Rechunker<B> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::effort::{cases, length};

    /// The blocks of a stream, as a source gives them.
    fn source(blocks: Vec<Vec<u8>>) -> impl FnMut() -> Result<Option<Vec<u8>>, Infallible> {
        let mut blocks = blocks.into_iter();
        move || Ok(blocks.next())
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn any_pieces_of_any_blocks_are_the_stream(
            blocks in vec(vec(any::<u8>(), 0..length(300, 12)), 0..length(20, 4)),
            sizes in vec(1..length(700, 30), 1..length(10, 4)),
        ) {
            // The model: one vector, read from the front.
            let stream = blocks.concat();
            let mut at = 0;
            let mut next = source(blocks);
            let mut rechunker = Rechunker::new();
            for size in sizes.iter().cycle() {
                let mut piece = vec![0; *size];
                let filled = rechunker.fill(&mut piece, &mut next).unwrap();
                let expected = &stream[at..stream.len().min(at + size)];
                prop_assert_eq!(&piece[..filled], expected);
                at += filled;
                if filled < *size {
                    break;
                }
            }
            prop_assert_eq!(at, stream.len());
            prop_assert_eq!(rechunker.fill(&mut [0; 9], &mut next).unwrap(), 0);
        }

        #[test]
        fn what_is_available_is_what_was_pushed_and_not_taken(
            steps in vec(
                (vec(any::<u8>(), 0..length(50, 8)), 0..length(70, 12)),
                0..length(30, 6),
            ),
        ) {
            let mut rechunker = Rechunker::new();
            let mut model = VecDeque::new();
            for (block, size) in steps {
                model.extend(block.iter().copied());
                rechunker.push(block);
                let mut piece = vec![0; size];
                let count = rechunker.take(&mut piece);
                prop_assert_eq!(count, size.min(model.len()));
                let expected: Vec<u8> = model.drain(..count).collect();
                prop_assert_eq!(&piece[..count], &expected[..]);
                prop_assert_eq!(rechunker.available(), model.len());
            }
        }
    }

    #[test]
    fn no_more_is_fetched_than_a_piece_needs() {
        let mut fetched = 0;
        let mut rechunker = Rechunker::new();
        let next = || {
            fetched += 1;
            Ok::<_, Infallible>(Some(vec![7; 10]))
        };
        assert_eq!(rechunker.fill(&mut [0; 20], next).unwrap(), 20);
        assert_eq!((fetched, rechunker.available()), (2, 0));
    }

    #[test]
    fn a_failing_source_loses_nothing_that_arrived_before() {
        let mut rechunker = Rechunker::new();
        rechunker.push(vec![1, 2]);
        assert_eq!(rechunker.fill(&mut [0; 1], || Err("not asked")), Ok(1));
        let mut blocks = vec![Err("gone")].into_iter();
        assert_eq!(
            rechunker.fill(&mut [0; 4], || blocks.next().unwrap()),
            Err("gone")
        );
    }
}
