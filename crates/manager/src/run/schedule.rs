//! Which backup may begin now, and with how many streams.

use std::collections::VecDeque;
use std::num::NonZeroU16;

/// Gives the streams of a budget to tasks, greedily and in their order: the first takes as many
/// as it wants and are free, the next what is left. With a budget of 8, two databases of at most
/// 5 streams each get 5 and 3. A task never waits while a stream is free.
#[derive(Debug)]
pub struct Schedule<T> {
    free: u16,
    waiting: VecDeque<Waiting<T>>,
}

#[derive(Debug)]
struct Waiting<T> {
    task: T,
    at_most: NonZeroU16,
}

/// Streams that a task holds. Bring them back with [`Schedule::give_back`].
#[derive(Debug, PartialEq, Eq)]
#[must_use = "streams that are not given back are lost to the others"]
pub struct Streams(NonZeroU16);

impl Streams {
    /// How many.
    pub const fn count(&self) -> NonZeroU16 {
        self.0
    }
}

impl<T> Schedule<T> {
    /// A schedule for this many streams at once.
    pub const fn new(budget: NonZeroU16) -> Self {
        Self {
            free: budget.get(),
            waiting: VecDeque::new(),
        }
    }

    /// Puts a task at the end of the line. It gets at most `at_most` streams, and at least one.
    pub fn add(&mut self, task: T, at_most: NonZeroU16) {
        self.waiting.push_back(Waiting { task, at_most });
    }

    /// The next task that may begin now; ask until there is none.
    pub fn begin(&mut self) -> Option<(T, Streams)> {
        let free = NonZeroU16::new(self.free)?;
        let Waiting { task, at_most } = self.waiting.pop_front()?;
        let streams = at_most.min(free);
        self.free -= streams.get();
        Some((task, Streams(streams)))
    }

    /// Takes the streams of a task that has ended.
    pub const fn give_back(&mut self, Streams(streams): Streams) {
        self.free = self.free.saturating_add(streams.get());
    }

    /// Takes everybody who waits out of the line.
    pub fn clear(&mut self) -> impl Iterator<Item = T> + use<T> {
        std::mem::take(&mut self.waiting)
            .into_iter()
            .map(|waiting| waiting.task)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(number: u16) -> NonZeroU16 {
        NonZeroU16::new(number).unwrap()
    }

    fn granted(schedule: &mut Schedule<&'static str>) -> Vec<(&'static str, u16)> {
        std::iter::from_fn(|| schedule.begin())
            .map(|(task, streams)| (task, streams.count().get()))
            .collect()
    }

    #[test]
    fn eight_streams_for_two_databases_of_five_are_five_and_three() {
        let mut schedule = Schedule::new(number(8));
        schedule.add("one", number(5));
        schedule.add("two", number(5));
        schedule.add("three", number(5));
        assert_eq!(granted(&mut schedule), [("one", 5), ("two", 3)]);
    }

    #[test]
    fn a_budget_for_one_database_takes_them_one_after_another() {
        let mut schedule = Schedule::new(number(4));
        schedule.add("one", number(4));
        schedule.add("two", number(4));
        let (task, streams) = schedule.begin().unwrap();
        assert_eq!((task, streams.count()), ("one", number(4)));
        assert_eq!(schedule.begin(), None);
        schedule.give_back(streams);
        assert_eq!(schedule.begin().unwrap().0, "two");
    }

    #[test]
    fn who_is_cleared_does_not_begin() {
        let mut schedule = Schedule::new(number(4));
        schedule.add("one", number(4));
        assert_eq!(schedule.clear().collect::<Vec<_>>(), ["one"]);
        assert_eq!(schedule.begin(), None);
    }

    proptest! {
        /// Tasks that end in any order, some of which come back once, as after an error.
        #[test]
        fn every_task_runs_in_turn_and_the_budget_is_kept(
            budget in 1_u16..=70,
            wanted in proptest::collection::vec((1_u16..=64, any::<bool>()), 0..40),
            ends in proptest::collection::vec(any::<prop::sample::Index>(), 100),
        ) {
            let mut schedule = Schedule::new(number(budget));
            for (task, (at_most, _)) in wanted.iter().enumerate() {
                schedule.add((task, 1), number(*at_most));
            }
            let mut running: Vec<((usize, u8), Streams)> = Vec::new();
            let mut begun = Vec::new();
            let mut ends = ends.into_iter();
            loop {
                while let Some(grant) = schedule.begin() {
                    let (at_most, _) = wanted[grant.0.0];
                    prop_assert!(grant.1.count().get() <= at_most);
                    begun.push(grant.0);
                    running.push(grant);
                }
                let open: u16 = running.iter().map(|(_, streams)| streams.count().get()).sum();
                prop_assert!(open <= budget);
                // Greedy: nobody waits while a stream is free.
                prop_assert!(open == budget || schedule.waiting.is_empty());
                if running.is_empty() {
                    break;
                }
                let next = ends.next().map_or(0, |end| end.index(running.len()));
                let ((task, time), streams) = running.swap_remove(next);
                schedule.give_back(streams);
                let (at_most, again) = wanted[task];
                if again && time == 1 {
                    schedule.add((task, 2), number(at_most));
                }
            }
            let first: Vec<_> = begun.iter().filter(|(_, time)| *time == 1).map(|(task, _)| *task).collect();
            prop_assert_eq!(first, (0..wanted.len()).collect::<Vec<_>>());
            let again = begun.iter().filter(|(_, time)| *time == 2).count();
            prop_assert_eq!(again, wanted.iter().filter(|(_, again)| *again).count());
            prop_assert_eq!(schedule.free, budget);
        }
    }
}
