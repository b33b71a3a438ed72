use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::Time;

/// A line of what is to happen, in order of time and then of entry.
#[derive(Debug)]
pub(crate) struct Agenda<E> {
    heap: BinaryHeap<Reverse<(Time, u64)>>,
    events: BTreeMap<u64, E>,
    entries: u64,
    pub(crate) now: Time,
}

impl<E> Agenda<E> {
    pub(crate) fn new() -> Self {
        Self {
            heap: BinaryHeap::new(),
            events: BTreeMap::new(),
            entries: 0,
            now: 0,
        }
    }

    pub(crate) fn at(&mut self, time: Time, event: E) {
        self.entries += 1;
        self.heap.push(Reverse((time.max(self.now), self.entries)));
        self.events.insert(self.entries, event);
    }

    pub(crate) fn after(&mut self, delay: Time, event: E) {
        self.at(self.now + delay, event);
    }

    pub(crate) fn next(&mut self) -> Option<E> {
        let Reverse((time, entry)) = self.heap.pop()?;
        self.now = time;
        self.events.remove(&entry)
    }
}
