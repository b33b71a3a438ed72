//! The thread of one device during a restore.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use tokio::sync::mpsc;
use vab_vdi::{Command, CompletionCode, Device, Event};

use super::content::Content;
use super::error::StreamError;
use super::progress::Progress;
use crate::Block;

/// A block that the engine has, so that the target may send another.
pub(super) struct Consumed {
    pub(super) stream: u16,
    pub(super) stored_length: u32,
}

/// What comes for a stream; the channel closes without an end if the session fails.
pub(super) enum Arrival {
    Block(Block),
    End,
}

/// Feeds a device from arriving blocks, whatever sizes the engine asks for.
pub(super) struct Feeder {
    pub(super) stream: u16,
    pub(super) content: Content,
    pub(super) arrivals: mpsc::UnboundedReceiver<Arrival>,
    pub(super) consumed: mpsc::UnboundedSender<Consumed>,
    pub(super) progress: Arc<dyn Fn(Progress) + Send + Sync>,
    pub(super) rest: Bytes,
    /// Stored length of the block that `rest` is of.
    pub(super) held: Option<u32>,
    pub(super) ended: bool,
    pub(super) bytes: u64,
    pub(super) blocks: u64,
}

impl Feeder {
    /// Serves the device until the engine closes it. Gives the bytes it took.
    pub(super) fn run(mut self, device: &Device) -> Result<u64, StreamError> {
        loop {
            match device.next_command(None)? {
                Event::Command(Command::Read(mut read)) => match self.fill(read.buffer()) {
                    Ok((bytes, false)) => read.complete(bytes)?,
                    Ok((bytes, true)) => read.complete_end_of_data(bytes)?,
                    Err(error) => {
                        read.fail(CompletionCode::READ_FAULT)?;
                        return Err(error);
                    }
                },
                Event::Command(Command::Flush(flush)) => flush.complete()?,
                Event::Command(Command::Complete(complete)) => complete.complete()?,
                Event::Command(Command::Write(write)) => {
                    write.fail(CompletionCode::NOT_SUPPORTED)?;
                    return Err(StreamError::Unexpected {
                        asked: "write",
                        during: "restore",
                    });
                }
                Event::TimedOut => {}
                Event::Ended => return Ok(self.bytes),
            }
        }
    }

    /// Fills the buffer; true if the stream ended before it was full.
    fn fill(&mut self, mut buffer: &mut [u8]) -> Result<(usize, bool), StreamError> {
        let mut filled = 0;
        while !buffer.is_empty() {
            if self.rest.is_empty() && !self.next_block()? {
                return Ok((filled, true));
            }
            let count = buffer.len().min(self.rest.len());
            let (now, later) = buffer.split_at_mut(count);
            self.rest.copy_to_slice(now);
            buffer = later;
            filled += count;
            self.bytes = self
                .bytes
                .saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        }
        Ok((filled, false))
    }

    /// Takes the next block; false at the end of the stream.
    fn next_block(&mut self) -> Result<bool, StreamError> {
        self.release();
        if self.ended {
            return Ok(false);
        }
        match self.arrivals.blocking_recv() {
            Some(Arrival::Block(block)) => {
                let header = block.header;
                self.rest = self.content.raw(block)?;
                self.held = Some(header.stored_length);
                self.blocks += 1;
                (self.progress)(Progress {
                    stream: self.stream,
                    bytes: header.offset.saturating_add(header.raw_length.into()),
                    blocks: self.blocks,
                });
                Ok(true)
            }
            Some(Arrival::End) => {
                self.content.end()?;
                self.ended = true;
                Ok(false)
            }
            None => Err(StreamError::SessionOver),
        }
    }

    fn release(&mut self) {
        // The handle goes first, so that its buffer is free when the next block is asked for.
        self.rest = Bytes::new();
        if let Some(stored_length) = self.held.take() {
            let _ = self.consumed.send(Consumed {
                stream: self.stream,
                stored_length,
            });
        }
    }
}
