use vab_format::block::BlockHeader;

use crate::proto::position::Position;
use crate::proto::violation::Violation;
use crate::proto::window::ReceiveWindow;

/// One stream that is restored: what it is to become, and how far it has come.
#[derive(Debug)]
pub(super) struct Stream {
    number: u16,
    total: Position,
    received: Position,
    window: ReceiveWindow,
}

impl Stream {
    pub(super) fn new(number: u16, total: Position, window: u64) -> Self {
        Self {
            number,
            total,
            received: Position::default(),
            window: ReceiveWindow::new(window),
        }
    }

    pub(super) const fn total(&self) -> &Position {
        &self.total
    }

    /// Sequence of the next block.
    pub(super) const fn next(&self) -> u64 {
        self.received.blocks
    }

    pub(super) const fn ended(&self) -> bool {
        self.received.blocks >= self.total.blocks
    }

    /// Payload bytes that arrived and are not consumed.
    pub(super) const fn held(&self) -> u64 {
        self.window.held()
    }

    /// A block arrived. `sealed`: the session is encrypted.
    pub(super) fn block(&mut self, header: &BlockHeader, sealed: bool) -> Result<(), Violation> {
        let stream = self.number;
        if self.ended() {
            return Err(Violation::AfterEnd { stream });
        }
        if header.is_encrypted() != sealed {
            let got = header.is_encrypted();
            return Err(Violation::Sealed { stream, got });
        }
        self.received.advance(header)?;
        if !self.window.received(header.stored_length) {
            return Err(Violation::Credit { stream });
        }
        if self.ended() && !self.received.agrees(&self.total, sealed) {
            return Err(Violation::Totals {
                stream,
                sent: self.total,
                arrived: self.received,
            });
        }
        Ok(())
    }

    /// A block is no longer held.
    pub(super) fn consumed(&mut self, stored_length: u32) {
        self.window.consumed(stored_length);
    }

    /// Goes on over a new connection.
    pub(super) const fn resume(&mut self, window: u64) {
        self.window = ReceiveWindow::resumed(window, self.window.held());
    }

    /// The credit to begin a connection with, if there is something to come.
    pub(super) fn first_credit(&self) -> Option<u64> {
        Some(self.window.first()).filter(|limit| *limit > 0 && !self.ended())
    }

    /// More credit, when it is worth a message.
    pub(super) fn more_credit(&mut self) -> Option<u64> {
        if self.ended() {
            return None;
        }
        self.window.announce()
    }
}
