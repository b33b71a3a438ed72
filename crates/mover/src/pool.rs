//! Buffers that are used again.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use vab_format::record::RecordBuffer;

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
/// It has the shape of a record, so that a store can write it from where it lies.
#[derive(Debug)]
pub(crate) struct Buffer {
    record: RecordBuffer,
    /// How many of the bytes are room before those that count.
    room: usize,
    pool: Option<Arc<Pool>>,
}

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
        self.enter().then(|| {
            let memory = self.lock().free.pop();
            self.buffer(memory, length)
        })
    }

    /// Lets nobody wait any more.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.returned.notify_all();
    }

    fn buffer(self: &Arc<Self>, memory: Option<Vec<u8>>, length: usize) -> Buffer {
        Buffer {
            record: RecordBuffer::with_room(length, memory.unwrap_or_default()),
            room: 0,
            pool: Some(Arc::clone(self)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buffer {
    /// A copy that belongs to no pool.
    pub(crate) fn of(payload: &[u8]) -> Self {
        Self {
            record: RecordBuffer::of(payload),
            room: 0,
            pool: None,
        }
    }

    /// The same, with room before the bytes that come.
    pub(crate) fn leaving(mut self, room: usize) -> Self {
        let memory = self.growing();
        memory.resize(memory.len() + room, 0);
        self.room = room;
        self
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.record.payload().get(self.room..).unwrap_or_default()
    }

    /// The bytes, from now on with so many more before them, of the room that was left, and
    /// behind them.
    pub(crate) fn widen(&mut self, before: usize, behind: usize) -> &mut [u8] {
        self.room = self.room.saturating_sub(before);
        let length = self.bytes().len() + behind;
        let memory = self.growing();
        memory.resize(memory.len() + behind, 0);
        let start = memory.len().saturating_sub(length);
        memory.get_mut(start..).unwrap_or_default()
    }

    /// Puts bytes behind those that are there.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.growing().extend_from_slice(bytes);
    }

    /// For readers that put bytes behind those that are there; what lies before is not to be
    /// touched.
    pub(crate) fn growing(&mut self) -> &mut Vec<u8> {
        self.record.growing()
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

impl AsMut<RecordBuffer> for Buffer {
    fn as_mut(&mut self) -> &mut RecordBuffer {
        &mut self.record
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let Some(pool) = &self.pool else { return };
        let memory = std::mem::take(&mut self.record).into_memory();
        let mut state = pool.lock();
        state.out = state.out.saturating_sub(1);
        if !state.closed && state.free.len() < pool.limit {
            state.free.push(memory);
        }
        drop(state);
        pool.returned.notify_one();
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
    fn room_is_no_part_of_the_bytes_until_they_are_widened() {
        let mut buffer = Pool::new(1).take(100).leaving(8);
        assert_eq!(buffer.bytes(), b"");
        buffer.extend(b"rows");
        assert_eq!(buffer.bytes(), b"rows");
        let address = buffer.bytes().as_ptr().addr();
        assert_eq!(buffer.widen(2, 3), b"\0\0rows\0\0\0");
        buffer.widen(0, 1).fill(1);
        assert_eq!(buffer.bytes(), [1; 10]);
        assert_eq!(buffer.bytes().as_ptr().addr(), address - 2);
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
