//! A buffer of a set with its way home.

use std::fmt;
use std::sync::{Arc, Weak};

use super::pool::Pool;
use crate::buffer::Aligned;

/// A buffer with a command; it goes back to its pool when it is dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    /// `None` once it is kept.
    bytes: Option<Aligned>,
    pool: Arc<Pool>,
}

impl Lease {
    pub(super) fn new(bytes: Aligned, pool: Arc<Pool>) -> Self {
        let bytes = Some(bytes);
        Self { bytes, pool }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.as_ref().map_or(&[], Aligned::bytes)
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.bytes.as_mut().map_or(&mut [], Aligned::bytes_mut)
    }

    /// Keeps the first `size` bytes beyond the command; gives itself back if the client has as
    /// many as it may.
    pub(crate) fn keep(mut self, size: usize) -> Result<KeptBuffer, Self> {
        if !self.pool.keep() {
            return Err(self);
        }
        Ok(KeptBuffer {
            size,
            bytes: self.bytes.take(),
            pool: Arc::downgrade(&self.pool),
        })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(bytes) = self.bytes.take() {
            self.pool.give(bytes);
        }
    }
}

/// The bytes of a write command, kept without a copy by
/// [`WriteCommand::keep`](crate::WriteCommand::keep).
///
/// They stay as they are for as long as the value lives, whatever becomes of the device and its
/// set. It takes the memory of the greatest transfer, however few its bytes are. When it is
/// dropped, the memory goes back to the set, or is freed if that has enough of it or is gone.
pub struct KeptBuffer {
    size: usize,
    /// `None` only while it is dropped.
    bytes: Option<Aligned>,
    pool: Weak<Pool>,
}

impl AsRef<[u8]> for KeptBuffer {
    fn as_ref(&self) -> &[u8] {
        let bytes = self.bytes.as_ref().map_or(&[][..], Aligned::bytes);
        bytes.get(..self.size).unwrap_or(bytes)
    }
}

impl Drop for KeptBuffer {
    fn drop(&mut self) {
        if let (Some(bytes), Some(pool)) = (self.bytes.take(), self.pool.upgrade()) {
            pool.give_kept(bytes);
        }
    }
}

impl fmt::Debug for KeptBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptBuffer")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_goes_to_any_thread() {
        fn is_owner<T: AsRef<[u8]> + Send + Sync + 'static>() {}
        is_owner::<KeptBuffer>();
    }
}
