//! The blocks of one session that wait to be written.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::Block;

/// A queue for each stream. The blocks of a stream get their places one by one, so that they stay
/// in order; any number of them may be written at a time.
pub(super) struct Lanes {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    lanes: Vec<Lane>,
    /// Which stream is looked at first.
    first: usize,
    closed: bool,
}

#[derive(Default)]
struct Lane {
    waiting: VecDeque<Block>,
    /// A thread has the block that is next and has not given it its place.
    taken: bool,
}

/// Keeps the next block of a stream from being taken.
pub(super) struct Hold<'l> {
    lanes: &'l Lanes,
    stream: usize,
}

impl Lanes {
    pub(super) fn new(streams: u16) -> Self {
        Self {
            state: Mutex::new(State {
                lanes: (0..streams).map(|_| Lane::default()).collect(),
                first: 0,
                closed: false,
            }),
            changed: Condvar::new(),
        }
    }

    /// The credits bound how many wait.
    pub(super) fn push(&self, block: Block) {
        let mut state = self.lock();
        let lane = state.lanes.get_mut(usize::from(block.header.stream));
        if let Some(lane) = lane {
            lane.waiting.push_back(block);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Waits for a block; `None` when nobody wants it written any more.
    pub(super) fn next(&self) -> Option<(Block, Hold<'_>)> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some((block, stream)) = state.take() {
                drop(state);
                let hold = Hold {
                    lanes: self,
                    stream,
                };
                return Some((block, hold));
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Drops what waits, and lets nobody wait any more.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let left = std::mem::take(&mut state.lanes);
        drop(state);
        drop(left);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Each stream has its turn.
    fn take(&mut self) -> Option<(Block, usize)> {
        let streams = self.lanes.len();
        for stream in (self.first..streams).chain(0..self.first) {
            let lane = self.lanes.get_mut(stream)?;
            if !lane.taken
                && let Some(block) = lane.waiting.pop_front()
            {
                lane.taken = true;
                self.first = (stream + 1) % streams;
                return Some((block, stream));
            }
        }
        None
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        let mut state = self.lanes.lock();
        let mut more = false;
        if let Some(lane) = state.lanes.get_mut(self.stream) {
            lane.taken = false;
            more = !lane.waiting.is_empty();
        }
        drop(state);
        if more {
            self.lanes.changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::proto::Position;
    use crate::testing;

    fn block(stream: u16, sequence: u64) -> Block {
        let at = Position {
            blocks: sequence,
            ..Position::default()
        };
        testing::block(Uuid::nil(), stream, &at, b"rows")
    }

    fn taken(lanes: &Lanes) -> (u16, u64, Hold<'_>) {
        let (block, hold) = lanes.next().unwrap();
        (block.header.stream, block.header.sequence, hold)
    }

    #[test]
    fn a_block_waits_until_the_one_before_it_has_its_place() {
        let lanes = Lanes::new(2);
        for (stream, sequence) in [(0, 0), (0, 1), (1, 0)] {
            lanes.push(block(stream, sequence));
        }
        let (stream, sequence, first) = taken(&lanes);
        assert_eq!((stream, sequence), (0, 0));
        let (stream, sequence, second) = taken(&lanes);
        assert_eq!(
            (stream, sequence),
            (1, 0),
            "block 1 of stream 0 has to wait"
        );
        drop(first);
        let (stream, sequence, _third) = taken(&lanes);
        assert_eq!((stream, sequence), (0, 1));
        drop(second);
    }

    #[test]
    fn streams_take_turns() {
        let lanes = Lanes::new(2);
        for sequence in 0..3 {
            lanes.push(block(0, sequence));
            lanes.push(block(1, sequence));
        }
        let order: Vec<_> = (0..6)
            .map(|_| {
                let (stream, sequence, _hold) = taken(&lanes);
                (stream, sequence)
            })
            .collect();
        assert_eq!(order, [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2)]);
    }

    #[test]
    fn many_threads_take_each_block_once_and_in_order() {
        let lanes = Lanes::new(3);
        let seen = Mutex::new(vec![Vec::new(); 3]);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        while let Some((block, _hold)) = lanes.next() {
                            let stream = usize::from(block.header.stream);
                            seen.lock().unwrap()[stream].push(block.header.sequence);
                        }
                    })
                })
                .collect();
            for sequence in 0..500 {
                (0..3).for_each(|stream| lanes.push(block(stream, sequence)));
            }
            while seen.lock().unwrap().iter().any(|blocks| blocks.len() < 500) {
                std::thread::yield_now();
            }
            lanes.close();
            for thread in threads {
                thread.join().unwrap();
            }
        });
        for blocks in seen.into_inner().unwrap() {
            assert!(blocks.into_iter().eq(0..500));
        }
    }

    #[test]
    fn who_waits_is_released_at_the_end() {
        let lanes = Lanes::new(1);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| lanes.next().is_none());
            lanes.close();
            assert!(waiting.join().unwrap());
        });
        lanes.push(block(0, 0));
        assert!(lanes.next().is_none());
    }
}
