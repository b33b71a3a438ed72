//! Buffers that are used again.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// A store of buffers. [`Pool::take`] never waits; [`Pool::wait`] keeps to the limit.
#[derive(Debug)]
pub(crate) struct Pool {
    state: Mutex<State>,
    returned: Condvar,
    /// Buffers that may be out, for those who wait; and the most that are kept.
    limit: usize,
}

#[derive(Debug, Default)]
struct State {
    free: Vec<Vec<u8>>,
    out: usize,
    closed: bool,
}

/// A buffer that goes back to its pool when it, or the [`Bytes`] made of it, is dropped.
///
/// Its bytes begin a page: a system copies pages of a file or a socket into a buffer that begins
/// a few bytes behind a page, as large allocations do, up to four times slower.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    /// What lies before the bytes.
    start: usize,
    pool: Arc<Pool>,
}

/// Bytes of a page of memory.
pub(crate) const PAGE: usize = 4096;

impl Pool {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            returned: Condvar::new(),
            limit,
        })
    }

    /// An empty buffer with room for `length` bytes. The caller bounds how many are out.
    pub(crate) fn take(self: &Arc<Self>, length: usize) -> Buffer {
        let mut state = self.lock();
        state.out += 1;
        let bytes = state.free.pop();
        drop(state);
        self.buffer(bytes, length)
    }

    /// Counts a buffer of somebody else's as one that is out, as soon as fewer than the limit are;
    /// false when the pool is closed. It counts until [`Pool::leave`].
    pub(crate) fn enter(&self) -> bool {
        let mut state = self
            .returned
            .wait_while(self.lock(), |state| {
                !state.closed && state.out >= self.limit
            })
            .unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return false;
        }
        state.out += 1;
        true
    }

    /// A buffer of somebody else's is out no more.
    pub(crate) fn leave(&self) {
        let mut state = self.lock();
        state.out = state.out.saturating_sub(1);
        drop(state);
        self.returned.notify_one();
    }

    /// Frees idle buffers, so that they and those that are out are not more than the limit.
    pub(crate) fn shed(&self) {
        let mut state = self.lock();
        let idle = self.limit.saturating_sub(state.out).min(state.free.len());
        let spare = state.free.split_off(idle);
        drop(state);
        drop(spare);
    }

    /// The most buffers that may be out.
    pub(crate) const fn limit(&self) -> usize {
        self.limit
    }

    /// An empty buffer, as soon as fewer than the limit are out; `None` when the pool is closed.
    pub(crate) fn wait(self: &Arc<Self>, length: usize) -> Option<Buffer> {
        let mut state = self
            .returned
            .wait_while(self.lock(), |state| {
                !state.closed && state.out >= self.limit
            })
            .unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return None;
        }
        state.out += 1;
        let bytes = state.free.pop();
        drop(state);
        Some(self.buffer(bytes, length))
    }

    /// Lets nobody wait any more.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.returned.notify_all();
    }

    fn buffer(self: &Arc<Self>, bytes: Option<Vec<u8>>, length: usize) -> Buffer {
        let mut bytes = bytes.unwrap_or_default();
        bytes.clear();
        bytes.reserve_exact(length.saturating_add(PAGE));
        let start = bytes.as_ptr().align_offset(PAGE).min(PAGE);
        bytes.resize(start, 0);
        Buffer {
            bytes,
            start,
            pool: Arc::clone(self),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buffer {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// Puts bytes behind those that are there.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// For readers that put bytes behind those that are there; what lies before is not to be
    /// touched.
    pub(crate) const fn growing(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub(crate) fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        let mut state = self.pool.lock();
        state.out = state.out.saturating_sub(1);
        if !state.closed && state.free.len() < self.pool.limit {
            state.free.push(bytes);
        }
        drop(state);
        self.pool.returned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_when_the_last_handle_is_dropped() {
        let pool = Pool::new(1);
        let mut buffer = pool.wait(4).unwrap();
        buffer.extend(b"1234");
        let address = buffer.bytes().as_ptr();
        let (one, two) = {
            let bytes = buffer.freeze();
            (bytes.clone(), bytes.slice(1..))
        };
        drop(one);
        assert_eq!(two.as_ref(), b"234");
        drop(two);
        assert_eq!(pool.wait(4).unwrap().bytes().as_ptr(), address);
    }

    #[test]
    fn who_waits_is_released_when_the_pool_closes() {
        let pool = Pool::new(1);
        let held = pool.wait(1).unwrap();
        let waiting = std::thread::spawn({
            let pool = Arc::clone(&pool);
            move || pool.wait(1).is_none()
        });
        pool.close();
        assert!(waiting.join().unwrap());
        drop(held);
    }

    #[test]
    fn what_is_elsewhere_counts_as_out_and_idle_buffers_make_way_for_it() {
        let pool = Pool::new(2);
        let copies = [pool.wait(1).unwrap(), pool.wait(1).unwrap()];
        drop(copies);
        assert!(pool.enter());
        pool.shed();
        assert_eq!(pool.lock().free.len(), 1);
        let held = pool.wait(1).unwrap();
        let waiting = std::thread::spawn({
            let pool = Arc::clone(&pool);
            move || pool.enter()
        });
        pool.leave();
        assert!(waiting.join().unwrap());
        pool.close();
        assert!(!pool.enter());
        drop(held);
    }
}
