use std::collections::VecDeque;

use crate::Block;
use crate::proto::window::SendWindow;

/// One stream that is read: asked for ≥ loaded ≥ sent.
#[derive(Debug)]
pub(super) struct Stream {
    total: u64,
    /// Next block to ask the store for.
    ask: u64,
    /// Next block to send.
    send: u64,
    loaded: VecDeque<Block>,
    window: SendWindow,
}

impl Stream {
    /// A stream of `total` blocks that is wanted from block `from` on.
    pub(super) fn new(total: u64, from: u64) -> Self {
        Self {
            total,
            ask: from,
            send: from,
            loaded: VecDeque::new(),
            window: SendWindow::default(),
        }
    }

    pub(super) fn raise(&mut self, limit: u64) {
        self.window.raise(limit);
    }

    /// The next block to read, if there is credit for it; `ahead`: how many may wait.
    pub(super) fn ask(&mut self, ahead: u64) -> Option<u64> {
        if !self.window.open() || self.ask >= self.total || self.ask - self.send >= ahead {
            return None;
        }
        let sequence = self.ask;
        self.ask += 1;
        Some(sequence)
    }

    /// Takes a block that was read; gives the sequence that was due if it is another one.
    pub(super) fn loaded(&mut self, block: Block) -> Result<(), u64> {
        let due = self.due();
        if block.header.sequence != due || due >= self.ask {
            return Err(due);
        }
        self.loaded.push_back(block);
        Ok(())
    }

    /// Sequence of the next block to be read.
    pub(super) fn due(&self) -> u64 {
        let waiting = u64::try_from(self.loaded.len()).unwrap_or(u64::MAX);
        self.send.saturating_add(waiting)
    }

    /// The next block to send, if it was read and the credit lasts.
    pub(super) fn transmit(&mut self) -> Option<Block> {
        if !self.window.open() {
            return None;
        }
        let block = self.loaded.pop_front()?;
        self.window.sent(block.header.stored_length);
        self.send = self.send.saturating_add(1);
        Some(block)
    }

    /// Whether `transmit` would give something.
    pub(super) fn ready(&self) -> bool {
        self.window.open() && !self.loaded.is_empty()
    }
}
