//! The memory of one command.

use crate::memory::{KeptBuffer, Lease};

/// The memory of one command, owned by whoever may touch it.
///
/// A buffer moves with its command from side to side, so the side that gave it away cannot reach
/// it any more.
#[derive(Debug, Default)]
pub(crate) enum Buffer {
    /// The command has no memory.
    #[default]
    None,
    /// Memory of this process.
    Owned(Vec<u8>),
    /// Memory of a set of this process.
    Leased(Lease),
    /// Memory that the server lends.
    #[cfg(any(target_os = "linux", windows))]
    Mapped(crate::native::Zone),
}

impl Buffer {
    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::None => &[],
            Self::Owned(bytes) => bytes,
            Self::Leased(lease) => lease.bytes(),
            #[cfg(any(target_os = "linux", windows))]
            Self::Mapped(zone) => zone.bytes(),
        }
    }

    /// The bytes, to be written.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::None => &mut [],
            Self::Owned(bytes) => bytes,
            Self::Leased(lease) => lease.bytes_mut(),
            #[cfg(any(target_os = "linux", windows))]
            Self::Mapped(zone) => zone.bytes_mut(),
        }
    }

    /// Keeps the first `size` bytes beyond the command; gives itself back if they cannot be kept.
    pub(crate) fn keep(self, size: usize) -> Result<KeptBuffer, Self> {
        match self {
            Self::Leased(lease) => lease.keep(size).map_err(Self::Leased),
            // The memory is another side's, or used again by ours for the next command.
            other => Err(other),
        }
    }
}

/// Bytes that begin a page.
///
/// A system copies pages of a file into a buffer that begins a few bytes behind a page up to four
/// times slower (measured on AMD processors), and that is where a large allocation begins.
#[derive(Debug)]
pub(crate) struct Aligned {
    bytes: Vec<u8>,
    start: usize,
}

impl Aligned {
    const PAGE: usize = 4096;

    /// So many zero bytes.
    pub(crate) fn new(length: usize) -> Self {
        let mut bytes = vec![0; length.saturating_add(Self::PAGE)];
        let start = bytes.as_ptr().align_offset(Self::PAGE).min(Self::PAGE);
        bytes.truncate(start.saturating_add(length));
        Self { bytes, start }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aligned_buffer_begins_a_page_and_has_its_length() {
        for length in [0, 1, 512, 4096, 1 << 20] {
            let mut buffer = Aligned::new(length);
            assert_eq!(buffer.bytes().len(), length);
            assert_eq!(buffer.bytes_mut().len(), length);
            assert_eq!(buffer.bytes().as_ptr().align_offset(4096), 0);
        }
    }
}
