//! How long a side looks by itself before it rests.
//!
//! To rest and to be woken costs tens of microseconds on both sides together, most of it where a
//! processor has nothing else to do and has to be woken too. Whoever looks for about as long as that
//! and rests only then spends at most twice what it would have, had it known when the other side
//! comes. What it learns from one wait to the next brings that down: where looking is in vain, it
//! soon rests at once, and tries again only now and then.
//!
//! Looking takes a processor, so it is only done with one that nobody else of this crate wants: when
//! there are no more ends of devices in the process than processors, and while one processor at least
//! is left for those who work. With 64 devices on two processors, or with one processor, all rest.

use std::hint::spin_loop;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What one side has learned about how soon the other one comes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Patience {
    /// So many of the next waits are rests at once.
    rests: u32,
    /// So many there were when looking was last in vain; fewer for each time that it was not.
    penalty: u32,
}

/// The longest look: about what it costs to rest and to be woken, for both sides together, on a
/// virtual machine that has nothing else to do. There to interrupt a processor, to set its timer and
/// to let it rest each leave the virtual machine.
const LONGEST: Duration = Duration::from_micros(100);

/// Looks between two readings of the clock. Each look takes about 30 nanoseconds, all together less
/// than a call of the system: so many are always worth it.
const LOOKS: u32 = 32;

/// The most rests between two waits with a look. What is then in vain is a microsecond or two for each
/// wait.
const MOST_RESTS: u32 = 63;

impl Patience {
    /// Looks for what is waited for, as long as that promises to be cheaper than a rest.
    pub(crate) fn look<T>(&mut self, mut found: impl FnMut() -> Option<T>) -> Option<T> {
        let processors = processors();
        if processors < 2 {
            return None;
        }
        if let Some(found) = look_some(&mut found) {
            return Some(found);
        }
        if ENDS.load(Ordering::Relaxed) > processors || !self.expects() {
            return None;
        }
        let _seat = Seat::take(&LOOKERS, processors - 1)?;
        let start = now();
        self.look_on(|| now().saturating_duration_since(start), found)
    }

    /// Looks until it is found or the time is over, and learns from that.
    fn look_on<T>(
        &mut self,
        passed: impl Fn() -> Duration,
        mut found: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        while passed() < LONGEST {
            if let Some(found) = look_some(&mut found) {
                // Others may have had the processor in between: then it would have been better theirs.
                self.learn(passed() < LONGEST);
                return Some(found);
            }
        }
        self.learn(false);
        None
    }

    /// Whether the next wait is one with a look.
    fn expects(&mut self) -> bool {
        let rests = self.rests.checked_sub(1);
        self.rests = rests.unwrap_or_default();
        rests.is_none()
    }

    fn learn(&mut self, has_come: bool) {
        if has_come {
            self.penalty /= 2;
        } else {
            self.penalty = (2 * self.penalty + 1).min(MOST_RESTS);
            self.rests = self.penalty;
        }
    }
}

fn look_some<T>(found: &mut impl FnMut() -> Option<T>) -> Option<T> {
    for _ in 0..LOOKS {
        spin_loop();
        if let Some(found) = found() {
            return Some(found);
        }
    }
    None
}

/// One end of a device in this process: a thread that works or waits.
#[derive(Debug)]
pub(crate) struct End(());

/// How many there are.
static ENDS: AtomicUsize = AtomicUsize::new(0);

impl Default for End {
    fn default() -> Self {
        // The count guards nothing.
        ENDS.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for End {
    fn drop(&mut self) {
        ENDS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Threads of this process that look.
static LOOKERS: AtomicUsize = AtomicUsize::new(0);

/// The right to look.
struct Seat<'a>(&'a AtomicUsize);

impl<'a> Seat<'a> {
    /// One of `all` seats, if one is free.
    fn take(taken: &'a AtomicUsize, all: usize) -> Option<Self> {
        // The count guards nothing but itself.
        let more = |count| (count < all).then_some(count + 1);
        let before = taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        before.ok().map(|_| Self(taken))
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Processors that this process may use.
fn processors() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| thread::available_parallelism().map_or(1, usize::from))
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a look takes has to be measured"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// What a look takes.
    const LOOK: Duration = Duration::from_micros(1);

    /// A wait in which the other side comes after so long; gives how long was looked, `None` when
    /// not at all, and whether it was seen.
    fn wait(patience: &mut Patience, comes: Duration) -> Option<(Duration, bool)> {
        let passed = Cell::new(Duration::ZERO);
        patience.expects().then(|| {
            let found = || {
                passed.set(passed.get() + LOOK);
                (passed.get() >= comes).then_some(())
            };
            let seen = patience.look_on(|| passed.get(), found).is_some();
            (passed.get(), seen)
        })
    }

    const SOON: Duration = Duration::from_micros(35);
    const LATE: Duration = Duration::from_secs(1);

    #[test]
    fn whoever_comes_soon_is_always_seen() {
        let mut patience = Patience::default();
        for _ in 0..100 {
            assert!(matches!(wait(&mut patience, SOON), Some((_, true))));
        }
    }

    #[test]
    fn no_look_is_longer_than_a_rest_costs() {
        let (looked, seen) = wait(&mut Patience::default(), LATE).unwrap();
        assert!(!seen);
        assert!(looked < LONGEST + LOOK * LOOKS);
    }

    #[test]
    fn one_who_always_comes_late_is_hardly_ever_looked_for() {
        let mut patience = Patience::default();
        let looks = (0..640).filter(|_| wait(&mut patience, LATE).is_some());
        // Six until it is as seldom as it gets, and one of 64 from then on.
        let looks = looks.count();
        assert!((10..=16).contains(&looks), "{looks}");
    }

    #[test]
    fn one_who_comes_soon_again_is_soon_looked_for_each_time() {
        let mut patience = Patience::default();
        for _ in 0..100 {
            wait(&mut patience, LATE);
        }
        let rests = (0..=MOST_RESTS).take_while(|_| wait(&mut patience, SOON).is_none());
        assert!(rests.count() <= MOST_RESTS as usize);
        assert!((0..100).all(|_| wait(&mut patience, SOON).is_some()));
    }

    #[test]
    fn one_late_wait_among_many_costs_one_rest() {
        let mut patience = Patience::default();
        wait(&mut patience, SOON);
        wait(&mut patience, LATE);
        assert_eq!(wait(&mut patience, SOON), None);
        assert!(wait(&mut patience, SOON).is_some());
    }

    #[test]
    fn what_is_found_after_others_had_the_processor_was_not_worth_the_look() {
        let mut patience = Patience::default();
        let passed = Cell::new(Duration::ZERO);
        let found = || {
            passed.set(LATE);
            Some(())
        };
        assert!(patience.look_on(|| passed.get(), found).is_some());
        assert!(!patience.expects());
    }

    #[test]
    fn no_more_look_than_have_a_seat() {
        let taken = AtomicUsize::new(0);
        let first = Seat::take(&taken, 2);
        let second = Seat::take(&taken, 2);
        assert!(first.is_some() && second.is_some());
        assert!(Seat::take(&taken, 2).is_none());
        drop(first);
        assert!(Seat::take(&taken, 2).is_some());
        drop(second);
        assert_eq!(taken.into_inner(), 0);
    }

    #[test]
    fn what_is_there_is_found_by_the_first_look() {
        let mut patience = Patience::default();
        let mut looks = 0;
        let found = patience.look(|| {
            looks += 1;
            Some(())
        });
        assert_eq!(found.is_some(), processors() > 1);
        assert_eq!(looks, usize::from(processors() > 1));
    }
}
