//! Credits: how much of a stream may be on its way.
//!
//! A limit counts payload bytes from the start of the connection. A block may be sent while less
//! than the limit was sent, so one block may go over it: a block larger than the window still
//! passes, and a receiver holds at most a window and one block of each stream.

/// The sender's end of the credit of one stream on one connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SendWindow {
    sent: u64,
    limit: u64,
}

impl SendWindow {
    pub(crate) const fn new(limit: u64) -> Self {
        Self { sent: 0, limit }
    }

    pub(crate) const fn open(&self) -> bool {
        self.sent < self.limit
    }

    pub(crate) fn sent(&mut self, bytes: u32) {
        self.sent = self.sent.saturating_add(u64::from(bytes).max(1));
    }

    /// The receiver raised the limit; a lower one is an old message and changes nothing.
    pub(crate) fn raise(&mut self, limit: u64) {
        self.limit = self.limit.max(limit);
    }
}

/// The receiver's end of the credit of one stream on one connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ReceiveWindow {
    size: u64,
    /// Bytes still held from an earlier connection; the limits on the wire do not count them.
    base: u64,
    received: u64,
    consumed: u64,
    announced: u64,
}

impl ReceiveWindow {
    pub(crate) const fn new(size: u64) -> Self {
        Self {
            size,
            base: 0,
            received: 0,
            consumed: 0,
            announced: size,
        }
    }

    /// A window on a new connection while `held` bytes of an earlier one are not consumed.
    pub(crate) const fn resumed(size: u64, held: u64) -> Self {
        let announced = if held > size { held } else { size };
        Self {
            size,
            base: held,
            received: held,
            consumed: 0,
            announced,
        }
    }

    /// The limit that holds at the start of the connection.
    pub(crate) const fn first(&self) -> u64 {
        self.announced.saturating_sub(self.base)
    }

    /// Bytes that arrived and are not consumed.
    pub(crate) const fn held(&self) -> u64 {
        self.received.saturating_sub(self.consumed)
    }

    /// A block arrived; false if it came without credit.
    #[must_use]
    pub(crate) fn received(&mut self, bytes: u32) -> bool {
        let credited = self.received < self.announced;
        self.received = self.received.saturating_add(u64::from(bytes).max(1));
        credited
    }

    /// A block of this connection is no longer held.
    pub(crate) fn consumed(&mut self, bytes: u32) {
        self.consumed = self
            .consumed
            .saturating_add(u64::from(bytes).max(1))
            .min(self.received);
    }

    /// The new limit, when it is worth a message.
    pub(crate) fn announce(&mut self) -> Option<u64> {
        let limit = self.consumed.saturating_add(self.size);
        if limit.saturating_sub(self.announced) < (self.size / 2).max(1) {
            return None;
        }
        self.announced = limit;
        Some(limit.saturating_sub(self.base))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_block_may_go_over_the_limit_and_no_second_one() {
        let mut window = SendWindow::new(10);
        window.sent(9);
        assert!(window.open());
        window.sent(4_000_000);
        assert!(!window.open());
        window.raise(5);
        assert!(!window.open());
    }

    #[test]
    fn the_receiver_sees_a_block_without_credit() {
        let mut window = ReceiveWindow::new(10);
        assert!(window.received(10));
        assert!(!window.received(1));
    }

    #[test]
    fn credit_is_given_back_in_halves() {
        let mut window = ReceiveWindow::new(10);
        assert!(window.received(8));
        window.consumed(4);
        assert_eq!(window.announce(), None);
        window.consumed(4);
        assert_eq!(window.announce(), Some(18));
        assert_eq!(window.announce(), None);
    }

    #[test]
    fn what_is_held_from_before_a_cut_uses_the_new_window() {
        let mut window = ReceiveWindow::resumed(10, 7);
        assert_eq!(window.first(), 3);
        assert!(window.received(3));
        assert!(!window.received(1));
        window.consumed(7);
        assert_eq!(window.announce(), Some(10));
    }

    #[test]
    fn blocks_without_payload_use_credit_too() {
        let mut window = SendWindow::new(1);
        window.sent(0);
        assert!(!window.open());
    }
}
