use std::collections::VecDeque;

use crate::proto::control::StreamState;
use crate::proto::position::Position;
use crate::proto::violation::Violation;
use crate::proto::window::ReceiveWindow;
use vab_format::block::BlockHeader;

/// One stream at the target: received ≥ written ≥ durable.
#[derive(Debug)]
pub(super) struct TargetStream {
    number: u16,
    /// Its blocks are encrypted.
    sealed: bool,
    received: Position,
    /// Stored lengths of blocks that were received and are not written.
    unwritten: VecDeque<u32>,
    written: u64,
    /// Stored bytes that are written and not durable.
    unsynced: u64,
    /// The part of `unsynced` that the running sync covers.
    syncing: u64,
    durable: u64,
    sync_wanted: u64,
    over: bool,
    told: (u64, bool),
    window: ReceiveWindow,
}

impl TargetStream {
    pub(super) fn new(number: u16, at: Position) -> Self {
        Self {
            number,
            sealed: false,
            received: at,
            unwritten: VecDeque::new(),
            written: at.blocks,
            unsynced: 0,
            syncing: 0,
            durable: at.blocks,
            sync_wanted: 0,
            over: false,
            told: (at.blocks, false),
            window: ReceiveWindow::default(),
        }
    }

    pub(super) const fn seal(&mut self, sealed: bool) {
        self.sealed = sealed;
    }

    pub(super) fn open(&mut self, window: u64) {
        self.window = ReceiveWindow::new(window);
        self.told = (self.durable, false);
    }

    pub(super) const fn state(&self) -> StreamState {
        StreamState {
            received: self.received.blocks,
            durable: self.durable,
            ended: self.over,
        }
    }

    pub(super) fn block(&mut self, header: &BlockHeader) -> Result<(), Violation> {
        if self.over {
            return Err(Violation::AfterEnd {
                stream: self.number,
            });
        }
        if header.is_encrypted() != self.sealed {
            return Err(Violation::Sealed {
                stream: self.number,
                got: header.is_encrypted(),
            });
        }
        self.received.advance(header)?;
        if !self.window.received(header.stored_length) {
            return Err(Violation::Credit {
                stream: self.number,
            });
        }
        self.unwritten.push_back(header.stored_length);
        Ok(())
    }

    pub(super) fn end(&mut self, sent: Position) -> Result<(), Violation> {
        if self.over {
            return Err(Violation::AfterEnd {
                stream: self.number,
            });
        }
        if !self.received.agrees(&sent, self.sealed) {
            return Err(Violation::Totals {
                stream: self.number,
                sent,
                arrived: self.received,
            });
        }
        self.received.crc = sent.crc;
        self.over = true;
        Ok(())
    }

    pub(super) const fn want_sync(&mut self) {
        self.sync_wanted = self.received.blocks;
    }

    /// The oldest unwritten block was written.
    pub(super) fn written(&mut self) {
        if let Some(length) = self.unwritten.pop_front() {
            self.written = self.written.saturating_add(1);
            self.unsynced = self.unsynced.saturating_add(u64::from(length).max(1));
            self.window.consumed(length);
        }
    }

    pub(super) fn drained(&self) -> bool {
        self.unwritten.is_empty()
    }

    pub(super) const fn unsynced(&self) -> u64 {
        self.unsynced
    }

    /// Whether a sync now would let somebody go on who waits.
    pub(super) const fn waits_for_sync(&self, share: u64) -> bool {
        let asked = self.sync_wanted > self.durable && self.written >= self.sync_wanted;
        let ended =
            self.over && self.written == self.received.blocks && self.written > self.durable;
        asked || ended || (self.unsynced > 0 && self.unsynced >= share)
    }

    /// A sync begins; returns the blocks it covers.
    pub(super) const fn sync_begins(&mut self) -> u64 {
        self.syncing = self.unsynced;
        self.written
    }

    /// A sync that began at `blocks` is done.
    pub(super) const fn synced(&mut self, blocks: u64) {
        self.unsynced = self.unsynced.saturating_sub(self.syncing);
        self.syncing = 0;
        if blocks > self.durable {
            self.durable = blocks;
        }
    }

    pub(super) const fn safe(&self) -> bool {
        self.over && self.durable == self.received.blocks
    }

    /// What the source has not been told on this connection: durable blocks, end.
    pub(super) fn news(&mut self) -> Option<(u64, bool)> {
        let now = (self.durable, self.safe());
        if now == self.told {
            return None;
        }
        self.told = now;
        Some(now)
    }

    pub(super) fn credit(&mut self) -> Option<u64> {
        if self.over {
            None
        } else {
            self.window.announce()
        }
    }

    pub(super) fn total(&self) -> Position {
        self.received
    }
}
