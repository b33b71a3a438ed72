//! The buffers of one set.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::lease::Lease;
use super::signal::Signal;
use crate::buffer::Aligned;
use crate::sync::lock;

/// A bounded number of buffers, made when they are first needed.
///
/// Some are with commands, some are kept by the client, the others are idle. There are never more
/// than the engine asked for and the client may keep, together.
#[derive(Debug, Default)]
pub(super) struct Pool {
    state: Mutex<State>,
    freed: Signal,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Aligned>,
    /// Buffers that are with commands.
    leased: usize,
    /// The most that may be.
    lease_limit: usize,
    /// Buffers that the client keeps.
    kept: usize,
    /// The most that it may keep.
    keep_limit: usize,
    /// Bytes of one buffer.
    length: usize,
}

impl Pool {
    /// Sets number and length of the buffers for commands, before the first is taken.
    pub(super) fn configure(&self, count: usize, length: usize) {
        let mut state = lock(&self.state);
        state.lease_limit = count;
        state.length = length;
    }

    /// A buffer for a command, as soon as fewer than the limit are out; `None` when that is not
    /// within the time or `over` says that the wait is over.
    pub(super) fn take(
        self: &Arc<Self>,
        timeout: Option<Duration>,
        over: impl Fn() -> bool,
    ) -> Option<Lease> {
        let all_out = |state: &mut State| state.leased >= state.lease_limit && !over();
        let mut state = self.freed.wait_while(&self.state, timeout, all_out);
        if state.leased >= state.lease_limit {
            return None;
        }
        state.leased += 1;
        let (idle, length) = (state.idle.pop(), state.length);
        drop(state);
        let buffer = idle.unwrap_or_else(|| Aligned::new(length));
        Some(Lease::new(buffer, Arc::clone(self)))
    }

    /// Takes a buffer back from a command.
    pub(super) fn give(&self, buffer: Aligned) {
        let mut state = lock(&self.state);
        state.leased = state.leased.saturating_sub(1);
        state.idle.push(buffer);
        // A client that does not keep this one has the bytes elsewhere: what was there for it to
        // keep goes, one for one.
        let spare = (state.idle.len() > state.lease_limit).then(|| state.idle.pop());
        self.freed.one(state);
        drop(spare);
    }

    /// The buffer of a command becomes the client's, if it may keep one more; the engine can have
    /// another one then.
    pub(super) fn keep(&self) -> bool {
        let mut state = lock(&self.state);
        if state.kept >= state.keep_limit {
            return false;
        }
        state.kept += 1;
        state.leased = state.leased.saturating_sub(1);
        self.freed.one(state);
        true
    }

    /// Takes a buffer back that was kept.
    pub(super) fn give_kept(&self, buffer: Aligned) {
        let mut state = lock(&self.state);
        state.kept = state.kept.saturating_sub(1);
        state.idle.push(buffer);
        let spare = state.trim();
        drop(state);
        drop(spare);
    }

    /// Changes how many the client may keep, from its part that was `before` to `now`.
    pub(super) fn allow(&self, before: usize, now: usize) {
        let mut state = lock(&self.state);
        let others = state.keep_limit.saturating_sub(before);
        state.keep_limit = others.saturating_add(now);
        let spare = state.trim();
        drop(state);
        drop(spare);
    }

    /// Wakes all who wait.
    pub(super) fn wake(&self) {
        self.freed.all(lock(&self.state));
    }
}

impl State {
    /// The idle buffers that are more than were agreed.
    fn trim(&mut self) -> Vec<Aligned> {
        let agreed = self.lease_limit.saturating_add(self.keep_limit);
        let idle = agreed.saturating_sub(self.leased).saturating_sub(self.kept);
        self.idle.split_off(idle.min(self.idle.len()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::lease::KeptBuffer;
    use super::*;
    use crate::effort::{cases, length};

    const AT_ONCE: Option<Duration> = Some(Duration::ZERO);

    fn pool(count: usize, length: usize) -> Arc<Pool> {
        let pool = Arc::new(Pool::default());
        pool.configure(count, length);
        pool
    }

    #[test]
    fn there_are_never_more_buffers_than_agreed() {
        let pool = pool(2, 16);
        let first = pool.take(AT_ONCE, || false).unwrap();
        let second = pool.take(AT_ONCE, || false).unwrap();
        let lengths = [&first, &second].map(|buffer| buffer.bytes().len());
        assert_eq!(lengths, [16, 16]);
        assert!(pool.take(AT_ONCE, || false).is_none());
        drop(first);
        assert!(pool.take(AT_ONCE, || false).is_some());
    }

    #[test]
    fn a_wait_ends_when_the_set_does() {
        assert!(pool(0, 16).take(None, || true).is_none());
    }

    #[test]
    fn none_is_kept_unless_it_was_allowed() {
        let pool = pool(1, 16);
        let lease = pool.take(AT_ONCE, || false).unwrap();
        let lease = lease.keep(16).unwrap_err();
        pool.allow(0, 1);
        assert!(lease.keep(16).is_ok());
    }

    #[test]
    fn a_kept_buffer_makes_room_for_another_and_comes_back() {
        let pool = pool(1, 16);
        pool.allow(0, 1);
        let kept = pool.take(AT_ONCE, || false).unwrap().keep(16).unwrap();
        let address = kept.as_ref().as_ptr();
        let other = pool.take(AT_ONCE, || false).unwrap();
        assert_ne!(other.bytes().as_ptr(), address);
        // One is kept, and may be; the next one cannot.
        let other = other.keep(16).unwrap_err();
        drop(kept);
        let _other = other.keep(16).unwrap();
        let again = pool.take(AT_ONCE, || false).unwrap();
        assert_eq!(again.bytes().as_ptr(), address);
    }

    #[test]
    fn who_waits_for_a_buffer_gets_one_when_another_is_kept() {
        let pool = pool(1, 16);
        pool.allow(0, 1);
        let lease = pool.take(AT_ONCE, || false).unwrap();
        let waiting = std::thread::spawn({
            let pool = Arc::clone(&pool);
            move || pool.take(None, || false).is_some()
        });
        let kept = lease.keep(1).unwrap();
        assert!(waiting.join().unwrap());
        drop(kept);
    }

    #[test]
    fn what_is_kept_outlives_the_set() {
        let pool = pool(1, 16);
        pool.allow(0, 1);
        let mut lease = pool.take(AT_ONCE, || false).unwrap();
        lease.bytes_mut().copy_from_slice(b"sixteen bytes it");
        let kept = lease.keep(7).unwrap();
        let gone = Arc::downgrade(&pool);
        drop(pool);
        // Nothing of the set is held by what is kept of it.
        assert!(gone.upgrade().is_none());
        assert_eq!(kept.as_ref(), b"sixteen");
    }

    #[test]
    fn what_may_be_kept_no_more_is_freed_when_it_comes_back() {
        let pool = pool(1, 16);
        pool.allow(0, 2);
        let keep = || pool.take(AT_ONCE, || false).unwrap().keep(16).unwrap();
        let both = [keep(), keep()];
        pool.allow(2, 0);
        drop(both);
        assert_eq!(lock(&pool.state).idle.len(), 1);
    }

    /// What either side does with the buffers; numbers choose among those that it has.
    #[derive(Debug, Clone)]
    enum Step {
        Take,
        Give(usize),
        Keep(usize),
        Return(usize),
        Allow(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => Just(Step::Take),
            3 => any::<usize>().prop_map(Step::Give),
            5 => any::<usize>().prop_map(Step::Keep),
            3 => any::<usize>().prop_map(Step::Return),
            1 => (0_usize..6).prop_map(Step::Allow),
        ]
    }

    /// Takes one of them.
    fn choose<T>(from: &mut Vec<T>, number: usize) -> Option<T> {
        let index = number.checked_rem(from.len())?;
        Some(from.swap_remove(index))
    }

    proptest! {
        #![proptest_config(cases())]

        /// The model: two lists, and what was written to each buffer when it was taken.
        #[test]
        fn bytes_stay_and_memory_is_bounded(
            count in 0_usize..5,
            steps in vec(step(), 0..length(200, 30)),
        ) {
            const LENGTH: usize = 8;
            let pool = pool(count, LENGTH);
            let mut leased: Vec<(u64, Lease)> = Vec::new();
            let mut kept: Vec<(u64, KeptBuffer)> = Vec::new();
            let (mut next, mut allowed) = (0_u64, 0);
            for step in steps {
                match step {
                    Step::Take => {
                        let taken = pool.take(AT_ONCE, || false);
                        prop_assert_eq!(taken.is_some(), leased.len() < count);
                        if let Some(mut lease) = taken {
                            lease.bytes_mut().copy_from_slice(&next.to_le_bytes());
                            leased.push((next, lease));
                            next += 1;
                        }
                    }
                    Step::Give(number) => drop(choose(&mut leased, number)),
                    Step::Keep(number) => if let Some((mark, lease)) = choose(&mut leased, number) {
                        let may = kept.len() < allowed;
                        match lease.keep(LENGTH) {
                            Ok(buffer) => kept.push((mark, buffer)),
                            Err(lease) => leased.push((mark, lease)),
                        }
                        prop_assert_eq!(may, kept.last().is_some_and(|it| it.0 == mark));
                    }
                    Step::Return(number) => drop(choose(&mut kept, number)),
                    Step::Allow(now) => {
                        pool.allow(allowed, now);
                        allowed = now;
                    }
                }
                for (mark, lease) in &leased {
                    prop_assert_eq!(lease.bytes(), mark.to_le_bytes());
                }
                for (mark, buffer) in &kept {
                    prop_assert_eq!(buffer.as_ref(), mark.to_le_bytes());
                }
                let idle = lock(&pool.state).idle.len();
                // More are kept than may be only where less was allowed meanwhile.
                let agreed = count + allowed.max(kept.len());
                prop_assert!(idle + leased.len() + kept.len() <= agreed);
            }
        }
    }
}
