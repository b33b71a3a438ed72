//! Heads in memory that both sides have, in one direction.
//!
//! A ring is lines of 64 bytes, so that two processors do not pull one line to and fro without need.
//! The first says how the reader rests; each of the others has room for one head: its number,
//! counted from one, and the head's three words. The number is written last.
//!
//! Nothing the other side writes is believed: a number that is not the next one means that nothing
//! is there, and a head is copied, once, before anybody looks at it. No place is ever computed from
//! what is read.

use std::sync::atomic::{AtomicU64, Ordering, fence};

/// Words of a line.
const LINE: usize = 8;

/// Words of a head.
pub(super) type Words = [u64; 3];

/// Words of a ring for so many heads.
pub(super) const fn length(heads: usize) -> usize {
    (heads + 1) * LINE
}

/// What a reader does while there is nothing for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// It will look by itself before it rests.
    Awake,
    /// It will look by itself in a moment.
    Napping,
    /// It looks when it is woken.
    Asleep,
}

/// The end that puts heads in. Its other side must have taken all but `heads` of them.
#[derive(Debug)]
pub(super) struct Writer<M> {
    memory: M,
    /// Heads that were put in so far.
    count: u64,
}

/// The end that takes heads out.
#[derive(Debug)]
pub(super) struct Reader<M> {
    memory: M,
    /// Heads that were taken out so far.
    count: u64,
}

impl<M: AsRef<[AtomicU64]>> Writer<M> {
    pub(super) fn new(memory: M) -> Self {
        Self { memory, count: 0 }
    }

    /// Puts a head in; gives what the reader does. One that is asleep has to be woken.
    pub(super) fn put(&mut self, head: Words) -> Rest {
        let number = self.count.wrapping_add(1);
        if let Some([stamp, words @ ..]) = line(self.memory.as_ref(), self.count) {
            for (to, from) in words.iter().zip(head) {
                to.store(from, Ordering::Relaxed);
            }
            stamp.store(number, Ordering::Release);
        }
        self.count = number;
        // Either we see that the reader rests, or it sees the head before it does: see `rest`.
        fence(Ordering::SeqCst);
        self.reader()
    }

    /// What the reader does.
    pub(super) fn reader(&self) -> Rest {
        let words = self.memory.as_ref().first();
        match words.map(|word| word.load(Ordering::Relaxed)) {
            None | Some(0) => Rest::Awake,
            Some(1) => Rest::Napping,
            Some(_) => Rest::Asleep,
        }
    }
}

impl<M: AsRef<[AtomicU64]>> Reader<M> {
    pub(super) fn new(memory: M) -> Self {
        Self { memory, count: 0 }
    }

    /// The next head, if it is there.
    pub(super) fn take(&mut self) -> Option<Words> {
        let next = self.count.wrapping_add(1);
        let [stamp, words @ ..] = line(self.memory.as_ref(), self.count)?;
        if stamp.load(Ordering::Acquire) != next {
            return None;
        }
        let [first, second, third, ..] = words;
        self.count = next;
        Some([first, second, third].map(|word| word.load(Ordering::Relaxed)))
    }

    /// Says what the reader is about to do. Before it rests, it has to look once more.
    pub(super) fn rest(&self, rest: Rest) {
        let number = match rest {
            Rest::Awake => 0,
            Rest::Napping => 1,
            Rest::Asleep => 2,
        };
        if let Some(word) = self.memory.as_ref().first() {
            word.store(number, Ordering::Relaxed);
        }
        fence(Ordering::SeqCst);
    }
}

/// The line of the head after `count` others.
fn line(memory: &[AtomicU64], count: u64) -> Option<&[AtomicU64; LINE]> {
    let lines = memory.get(LINE..)?;
    let heads = u64::try_from(lines.len() / LINE).ok()?;
    let index = usize::try_from(count.checked_rem(heads)?).ok()?;
    lines.get(index * LINE..)?.first_chunk()
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::{Arc, mpsc};
    use std::thread;
    use std::time::Duration;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::effort::{cases, length as length_of};

    const HEADS: usize = 4;

    type Memory = Arc<[AtomicU64]>;

    fn ring() -> (Writer<Memory>, Reader<Memory>) {
        let memory: Memory = (0..length(HEADS)).map(|_| AtomicU64::new(0)).collect();
        (Writer::new(Arc::clone(&memory)), Reader::new(memory))
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn heads_come_out_as_they_went_in(puts in vec(any::<Option<Words>>(), 0..length_of(40, 12))) {
            let (mut writer, mut reader) = ring();
            let mut model = VecDeque::new();
            for put in puts {
                match put {
                    Some(head) if model.len() < HEADS => {
                        prop_assert_eq!(writer.put(head), Rest::Awake);
                        model.push_back(head);
                    }
                    _ => prop_assert_eq!(reader.take(), model.pop_front()),
                }
            }
        }

        #[test]
        fn whatever_is_in_the_memory_is_a_head_or_nothing(words in vec(0_u64..7, length(HEADS))) {
            let memory: Memory = words.into_iter().map(AtomicU64::new).collect();
            let mut reader = Reader::new(Arc::clone(&memory));
            // At most one head for each number: there is an end.
            let taken = (0..8).take_while(|_| reader.take().is_some()).count();
            prop_assert!(taken <= HEADS);
        }
    }

    #[test]
    fn a_ring_of_nothing_has_nothing() {
        let empty: Memory = Arc::new([]);
        let mut writer = Writer::new(Arc::clone(&empty));
        assert_eq!(writer.put([1, 2, 3]), Rest::Awake);
        assert_eq!(Reader::new(empty).take(), None);
    }

    /// If a head were put in front of a reader that sleeps on, nobody would wake it any more.
    #[test]
    fn no_reader_sleeps_on_in_front_of_a_head() {
        const PATIENCE: Duration = Duration::from_secs(60);
        let rounds: u64 = if cfg!(miri) { 40 } else { 20_000 };
        let (mut writer, mut reader) = ring();
        let (taken, has_taken) = mpsc::channel();
        let reading = thread::spawn(move || {
            for number in 0..rounds {
                let head = loop {
                    if let Some(head) = reader.take() {
                        break head;
                    }
                    reader.rest(Rest::Asleep);
                    if let Some(head) = reader.take() {
                        reader.rest(Rest::Awake);
                        break head;
                    }
                    thread::park();
                    reader.rest(Rest::Awake);
                };
                assert_eq!(head, [number, !number, number << 1]);
                taken.send(()).unwrap();
            }
        });
        let mut outstanding = 0;
        for number in 0..rounds {
            if writer.put([number, !number, number << 1]) == Rest::Asleep {
                reading.thread().unpark();
            }
            outstanding += 1;
            // Sometimes the reader is waited for, sometimes the ring is filled.
            let most = usize::try_from(number % 5).unwrap().min(HEADS - 1);
            while outstanding > most {
                has_taken.recv_timeout(PATIENCE).unwrap();
                outstanding -= 1;
            }
        }
        reading.join().unwrap();
    }
}
