//! Turns at the store: no session keeps the others from being written.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Who is next, without threads: the waiting session that has had the fewest bytes.
#[derive(Debug)]
struct Order {
    /// Turns that may be taken at a time.
    limit: usize,
    taken: usize,
    sessions: BTreeMap<u64, Share>,
    next: u64,
    /// What the session that came last had had when its turn began: where the busy ones stand.
    now: u64,
}

#[derive(Debug, Default)]
struct Share {
    /// Bytes it has had, more or less: who was idle does not save up turns.
    had: u64,
    waiting: usize,
    running: usize,
}

impl Order {
    const fn new(limit: usize) -> Self {
        Self {
            limit,
            taken: 0,
            sessions: BTreeMap::new(),
            next: 0,
            now: 0,
        }
    }

    fn enter(&mut self) -> u64 {
        let number = self.next;
        self.next = number.wrapping_add(1);
        self.sessions.insert(number, Share::default());
        number
    }

    fn leave(&mut self, number: u64) {
        if let Some(share) = self.sessions.remove(&number) {
            self.taken = self.taken.saturating_sub(share.running);
        }
    }

    fn wait(&mut self, number: u64) {
        if let Some(share) = self.sessions.get_mut(&number) {
            if share.waiting + share.running == 0 {
                share.had = share.had.max(self.now);
            }
            share.waiting += 1;
        }
    }

    /// Whether it is this session's turn.
    fn is_next(&self, number: u64) -> bool {
        let waiting = self
            .sessions
            .iter()
            .filter(|(_, share)| share.waiting > 0)
            .min_by_key(|(number, share)| (share.had, **number));
        self.taken < self.limit && waiting.is_some_and(|(next, _)| *next == number)
    }

    fn take(&mut self, number: u64, bytes: u64) {
        if let Some(share) = self.sessions.get_mut(&number) {
            share.waiting = share.waiting.saturating_sub(1);
            share.running += 1;
            self.now = self.now.max(share.had);
            share.had = share.had.saturating_add(bytes);
            self.taken += 1;
        }
    }

    fn give_back(&mut self, number: u64) {
        if let Some(share) = self.sessions.get_mut(&number) {
            share.running = share.running.saturating_sub(1);
            self.taken = self.taken.saturating_sub(1);
        }
    }
}

#[derive(Debug)]
struct Shared {
    order: Mutex<Order>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Order> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The turns of all sessions of a target.
#[derive(Clone, Debug)]
pub(super) struct Turns(Arc<Shared>);

/// One session's part in the turns, until this is dropped.
#[derive(Debug)]
pub(super) struct Part {
    shared: Arc<Shared>,
    number: u64,
}

/// A turn, until this is dropped.
#[derive(Debug)]
pub(super) struct Turn<'p>(&'p Part);

impl Turns {
    pub(super) fn new(limit: usize) -> Self {
        Self(Arc::new(Shared {
            order: Mutex::new(Order::new(limit.max(1))),
            changed: Condvar::new(),
        }))
    }

    pub(super) fn enter(&self) -> Part {
        Part {
            shared: Arc::clone(&self.0),
            number: self.0.lock().enter(),
        }
    }
}

impl Part {
    /// Blocks the thread until it is this session's turn to write so many bytes.
    pub(super) fn turn(&self, bytes: u64) -> Turn<'_> {
        let mut order = self.shared.lock();
        order.wait(self.number);
        order = self
            .shared
            .changed
            .wait_while(order, |order| !order.is_next(self.number))
            .unwrap_or_else(PoisonError::into_inner);
        order.take(self.number, bytes);
        drop(order);
        // There may be another free turn for the one that is next now.
        self.shared.changed.notify_all();
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.shared.lock().give_back(self.0.number);
        self.0.shared.changed.notify_all();
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.shared.lock().leave(self.number);
        self.shared.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives turns one by one as long as sessions wait; says who had how many bytes.
    fn run(order: &mut Order, blocks: &[(u64, u64)], turns: usize) -> BTreeMap<u64, u64> {
        let mut had = BTreeMap::new();
        for _ in 0..turns {
            let next = blocks.iter().find(|(number, _)| order.is_next(*number));
            let (number, bytes) = *next.expect("somebody is next");
            order.take(number, bytes);
            *had.entry(number).or_default() += bytes;
            order.give_back(number);
            order.wait(number);
        }
        had
    }

    #[test]
    fn many_threads_of_one_session_do_not_make_it_faster() {
        let mut order = Order::new(1);
        let (greedy, modest) = (order.enter(), order.enter());
        for _ in 0..64 {
            order.wait(greedy);
        }
        order.wait(modest);
        let had = run(&mut order, &[(greedy, 100), (modest, 100)], 1000);
        assert_eq!(had, [(greedy, 50_000), (modest, 50_000)].into());
    }

    #[test]
    fn larger_blocks_do_not_make_a_session_faster() {
        let mut order = Order::new(1);
        let (large, small) = (order.enter(), order.enter());
        order.wait(large);
        order.wait(small);
        let had = run(&mut order, &[(large, 4000), (small, 100)], 4100);
        assert!(had[&large].abs_diff(had[&small]) <= 4000, "{had:?}");
    }

    #[test]
    fn who_was_idle_has_saved_nothing_up() {
        let mut order = Order::new(1);
        let (busy, idle) = (order.enter(), order.enter());
        order.wait(busy);
        run(&mut order, &[(busy, 100)], 1000);
        order.wait(idle);
        let had = run(&mut order, &[(busy, 100), (idle, 100)], 100);
        assert!(had[&busy].abs_diff(had[&idle]) <= 100, "{had:?}");
    }

    #[test]
    fn no_more_turns_than_the_limit() {
        let mut order = Order::new(2);
        let session = order.enter();
        for _ in 0..3 {
            order.wait(session);
        }
        order.take(session, 1);
        order.take(session, 1);
        assert!(!order.is_next(session));
        order.give_back(session);
        assert!(order.is_next(session));
    }

    #[test]
    fn a_session_that_leaves_in_its_turn_gives_it_back() {
        let mut order = Order::new(1);
        let (one, two) = (order.enter(), order.enter());
        order.wait(one);
        order.take(one, 1);
        order.wait(two);
        assert!(!order.is_next(two));
        order.leave(one);
        assert!(order.is_next(two));
    }

    #[test]
    fn all_threads_get_their_turns() {
        let turns = Turns::new(3);
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let part = Arc::new(turns.enter());
                (0..4)
                    .map(|_| {
                        let part = Arc::clone(&part);
                        std::thread::spawn(move || (0..200).for_each(|_| drop(part.turn(1))))
                    })
                    .collect::<Vec<_>>()
            })
            .collect();
        for thread in threads.into_iter().flatten() {
            thread.join().unwrap();
        }
        assert_eq!(turns.0.lock().taken, 0);
    }
}
