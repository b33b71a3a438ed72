use std::collections::VecDeque;

use crate::Block;
use crate::proto::control::{Control, StreamState};
use crate::proto::frame::Frame;
use crate::proto::position::Position;
use crate::proto::violation::Violation;
use crate::proto::window::SendWindow;

/// One stream at the source: what is not yet safe, and how far it was sent.
#[derive(Debug)]
pub(super) struct SourceStream {
    number: u16,
    /// Blocks that are not durable at the target; the first has the sequence `first`.
    kept: VecDeque<Block>,
    first: u64,
    /// Sequence of the next block to send on this connection.
    next: u64,
    /// Blocks sent on any connection.
    reached: u64,
    pushed: Position,
    durable: u64,
    over: bool,
    end_sent: bool,
    ended: bool,
    sync_wanted: u64,
    sync_sent: u64,
    window: SendWindow,
}

impl SourceStream {
    pub(super) fn new(number: u16) -> Self {
        Self {
            number,
            kept: VecDeque::new(),
            first: 0,
            next: 0,
            reached: 0,
            pushed: Position::default(),
            durable: 0,
            over: false,
            end_sent: false,
            ended: false,
            sync_wanted: 0,
            sync_sent: 0,
            window: SendWindow::default(),
        }
    }

    pub(super) fn push(&mut self, block: Block) -> Result<(), Violation> {
        if self.over {
            return Err(Violation::AfterEnd {
                stream: self.number,
            });
        }
        self.pushed.advance(&block.header)?;
        self.kept.push_back(block);
        Ok(())
    }

    /// `masked_crc`: the checksum of an encrypted stream, which cannot be counted here.
    pub(super) const fn finish(&mut self, masked_crc: Option<u32>) -> Position {
        self.over = true;
        if let Some(crc) = masked_crc {
            self.pushed.crc = crc;
        }
        self.pushed
    }

    pub(super) const fn want_sync(&mut self) {
        self.sync_wanted = self.pushed.blocks;
    }

    pub(super) const fn safe(&self) -> bool {
        self.ended
    }

    /// Blocks that the target said to be durable.
    pub(super) const fn durable(&self) -> u64 {
        self.durable
    }

    pub(super) fn kept_bytes(&self) -> u64 {
        self.kept
            .iter()
            .map(|block| u64::from(block.header.stored_length))
            .sum()
    }

    pub(super) const fn unsent_blocks(&self) -> u64 {
        self.pushed.blocks.saturating_sub(self.next)
    }

    pub(super) fn clear(&mut self) {
        self.kept.clear();
    }

    pub(super) fn open(&mut self, window: u64) {
        self.window = SendWindow::new(window);
    }

    pub(super) fn raise(&mut self, limit: u64) {
        self.window.raise(limit);
    }

    /// Takes up what the target says of the stream after a reconnect.
    pub(super) fn resume(&mut self, state: StreamState, window: u64) -> Result<(), Violation> {
        self.check(state.received, self.durable, self.reached)?;
        self.check(state.durable, self.durable, state.received)?;
        self.release(state.durable);
        self.next = state.received;
        self.sync_sent = 0;
        self.end_sent = state.ended;
        self.window = SendWindow::new(window);
        Ok(())
    }

    /// The target says that blocks are safe; true if that is news.
    pub(super) fn acknowledge(&mut self, blocks: u64, ended: bool) -> Result<bool, Violation> {
        self.check(blocks, self.durable, self.reached)?;
        if ended && !(self.end_sent && blocks == self.pushed.blocks) {
            return self.check(blocks, u64::MAX, u64::MAX).map(|()| false);
        }
        let news = blocks > self.durable || ended != self.ended;
        self.release(blocks);
        self.ended |= ended;
        Ok(news)
    }

    /// The next thing to send, if there is one and the credit lasts. `keep`: hold what is sent
    /// until it is durable.
    pub(super) fn transmit(&mut self, keep: bool) -> Option<Frame> {
        if self.next < self.pushed.blocks {
            if !self.window.open() {
                return None;
            }
            let block = if keep {
                let index = usize::try_from(self.next.saturating_sub(self.first)).ok()?;
                self.kept.get(index)?.clone()
            } else {
                self.first = self.first.saturating_add(1);
                self.kept.pop_front()?
            };
            self.next = self.next.saturating_add(1);
            self.reached = self.reached.max(self.next);
            self.window.sent(block.header.stored_length);
            return Some(Frame::Block(block));
        }
        if self.over && !self.end_sent {
            self.end_sent = true;
            return Some(
                Control::EndStream {
                    stream: self.number,
                    total: self.pushed,
                }
                .into(),
            );
        }
        if self.sync_wanted > self.sync_sent.max(self.durable) {
            self.sync_sent = self.sync_wanted;
            return Some(
                Control::Sync {
                    stream: self.number,
                }
                .into(),
            );
        }
        None
    }

    /// Whether `transmit` would give something.
    pub(super) const fn ready(&self) -> bool {
        if self.next < self.pushed.blocks {
            return self.window.open();
        }
        let synced = if self.sync_sent > self.durable {
            self.sync_sent
        } else {
            self.durable
        };
        (self.over && !self.end_sent) || self.sync_wanted > synced
    }

    fn release(&mut self, durable: u64) {
        while self.first < durable && self.kept.pop_front().is_some() {
            self.first = self.first.saturating_add(1);
        }
        self.durable = durable;
    }

    const fn check(&self, blocks: u64, low: u64, high: u64) -> Result<(), Violation> {
        if blocks < low || blocks > high {
            return Err(Violation::Acknowledged {
                stream: self.number,
                blocks,
                low,
                high,
            });
        }
        Ok(())
    }
}
