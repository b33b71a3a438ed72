//! Taking small things off the input.

/// What is left of the input; at its end there are only zeros.
#[derive(Debug)]
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl<'a> Input<'a> {
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or_default()
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }

    /// A number, often at an edge.
    pub(crate) fn number(&mut self) -> u64 {
        match self.byte() {
            255 => u64::MAX,
            254 => u64::from(u32::MAX),
            253 => 1 << 56,
            252 => 1 << 22,
            251 => 1 << 23,
            250 => u64::from(self.u32()) << 12,
            249 => u64::from(self.u32()),
            small => small.into(),
        }
    }

    /// A number below `limit`, 0 when there is none.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::from(self.u16()).checked_rem(limit).unwrap_or(0)
    }
}
