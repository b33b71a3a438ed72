//! The search for the shortest sequence.
//!
//! On the way to one fork, history is a line of LSNs: a base puts the database somewhere on it,
//! a log takes it from a place within the log to the log's end. The further along, the better:
//! whatever log could be applied before and still leads on can be applied there too. So the last
//! full before the target, or the last differential, and from there always the log that leads
//! furthest, is the shortest sequence, and where that gets stuck there is none.

use crate::chain::forks::{Fork, Place};
use crate::chain::track::{DataEntry, LogEntry, Slot};
use crate::{Chain, Lsn, PointFacts, ServerTime, Unusable};

use super::{PlanOptions, Standing, StopAt};

/// What a search on the way to one fork looks for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goal {
    /// As far as it goes.
    Furthest,
    /// The last full or differential that had finished by then.
    LastBefore(ServerTime),
    /// The state at a time.
    Time(ServerTime),
    /// The state before a log record, or including it.
    Place { lsn: Lsn, including: bool },
}

/// What a sequence begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    Full(Slot),
    Differential { full: Slot, differential: Slot },
    Standing,
}

impl Start {
    fn steps(self) -> usize {
        match self {
            Self::Full(_) => 1,
            Self::Differential { .. } => 2,
            Self::Standing => 0,
        }
    }
}

/// One log restored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Move {
    pub(super) log: Slot,
    /// Where history stands after it; the end of the log when it stops at a time.
    to: Lsn,
    pub(super) stop: Option<Stop>,
    time: Option<ServerTime>,
    done: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Time(ServerTime),
    Before(Lsn),
    At(Lsn),
}

impl From<Stop> for StopAt {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Time(time) => Self::Time(time),
            Stop::Before(lsn) => Self::BeforeLsn(lsn),
            Stop::At(lsn) => Self::AtLsn(lsn),
        }
    }
}

/// A sequence that was found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) start: Start,
    pub(super) moves: Vec<Move>,
    /// Where it ends, and when; of no meaning after a stop at a time.
    pub(super) end: Lsn,
    pub(super) time: Option<ServerTime>,
}

impl Found {
    pub(super) fn last_slot(&self) -> Option<Slot> {
        match (self.moves.last(), self.start) {
            (Some(last), _) => Some(last.log),
            (None, Start::Full(slot)) => Some(slot),
            (None, Start::Differential { differential, .. }) => Some(differential),
            (None, Start::Standing) => None,
        }
    }

    fn steps(&self) -> usize {
        self.start.steps() + self.moves.len()
    }
}

/// Where a search got stuck.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stuck {
    /// There is nothing to begin with.
    NoStart,
    /// No log leads on from here.
    At(Lsn),
}

/// A search on the way to one fork.
pub(super) struct Search<'c> {
    pub(super) chain: &'c Chain,
    pub(super) fork: Fork,
    /// Per fork: up to which LSN its history is that of `fork`.
    pub(super) agreement: Vec<Option<Lsn>>,
    pub(super) options: PlanOptions,
    pub(super) goal: Goal,
    /// The point to end with, where two ways are equally short.
    pub(super) prefer: Option<Slot>,
}

#[derive(Clone, Copy)]
struct At {
    start: Start,
    lsn: Lsn,
    time: Option<ServerTime>,
}

impl<'c> Search<'c> {
    pub(super) fn new(chain: &'c Chain, fork: Fork, goal: Goal, options: PlanOptions) -> Self {
        Self {
            chain,
            fork,
            agreement: chain.tree().agreement(fork),
            options,
            goal,
            prefer: None,
        }
    }

    /// The shortest sequence, from nothing or from where the database stands.
    pub(super) fn run(&self, standing: Option<&Standing>) -> Result<Found, Stuck> {
        let starts = match standing {
            None => [self.last_full(), self.last_differential(|_| true)],
            Some(standing) => [Some(self.standing(standing.lsn)), self.jump(standing)],
        };
        let mut best: Option<Found> = None;
        let mut stuck = Stuck::NoStart;
        for start in starts.into_iter().flatten() {
            match self.walk(start) {
                Ok(found) if best.as_ref().is_none_or(|best| self.better(&found, best)) => {
                    best = Some(found);
                }
                Ok(_) => {}
                Err(at) => {
                    stuck = Stuck::At(match stuck {
                        Stuck::At(before) => before.max(at),
                        Stuck::NoStart => at,
                    });
                }
            }
        }
        best.ok_or(stuck)
    }

    fn better(&self, new: &Found, old: &Found) -> bool {
        if matches!(self.goal, Goal::Furthest | Goal::LastBefore(_)) && new.end != old.end {
            return new.end > old.end;
        }
        if new.steps() != old.steps() {
            return new.steps() < old.steps();
        }
        let preferred = |found: &Found| self.prefer.is_some() && found.last_slot() == self.prefer;
        // Otherwise the differential, which comes second: it replays less log.
        preferred(new) || !preferred(old)
    }

    fn walk(&self, at: At) -> Result<Found, Lsn> {
        let mut found = Found {
            start: at.start,
            moves: Vec::new(),
            end: at.lsn,
            time: at.time,
        };
        loop {
            if self.is_there(found.end, found.time) {
                return Ok(found);
            }
            match self.next_move(found.end) {
                Some(next) => {
                    found.moves.push(next);
                    found.end = next.to;
                    found.time = next.time;
                    if next.done {
                        return Ok(found);
                    }
                }
                None if matches!(self.goal, Goal::Furthest) => return Ok(found),
                None => return Err(found.end),
            }
        }
    }

    fn is_there(&self, lsn: Lsn, time: Option<ServerTime>) -> bool {
        match self.goal {
            Goal::Furthest => false,
            Goal::LastBefore(_) => true,
            Goal::Place {
                lsn: goal,
                including,
            } => !including && lsn == goal,
            Goal::Time(goal) => {
                let track = self.chain.track(self.fork);
                let recovered = self.chain.recorded_at(self.fork, lsn);
                time == Some(goal)
                    || track.is_some_and(|track| track.rests_at(lsn, goal))
                    || recovered.is_some_and(|until| until >= goal)
            }
        }
    }

    /// The log that leads furthest from `from`.
    fn next_move(&self, from: Lsn) -> Option<Move> {
        if !self.options.logs {
            return None;
        }
        let mut best: Option<(Move, &PointFacts, &LogEntry)> = None;
        for (fork, shared) in self.shared_forks(from) {
            let Some(track) = self.chain.track(fork) else {
                continue;
            };
            for log in track.logs_over(from) {
                let Some(facts) = self.chain.at(log.slot).filter(|facts| self.usable(facts)) else {
                    continue;
                };
                let Some(next) = self.through(log, facts, fork, shared) else {
                    continue;
                };
                let key = |next: &Move, facts: &PointFacts, log: &LogEntry| {
                    let preferred = self.prefer == Some(next.log);
                    // A shorter log replays less; a regular one is the usual way.
                    (
                        next.done,
                        next.to,
                        next.stop.is_none(),
                        preferred,
                        log.first,
                        !facts.copy_only,
                    )
                };
                let better = best.as_ref().is_none_or(|(old, old_facts, old_log)| {
                    key(&next, facts, log) > key(old, old_facts, old_log)
                });
                if next.to > from && better {
                    best = Some((next, facts, log));
                }
            }
        }
        best.map(|(next, ..)| next)
    }

    /// Where a log leads on the way to the goal. `None` when it leads past it, or elsewhere, and
    /// cannot be stopped.
    fn through(&self, log: &LogEntry, facts: &PointFacts, fork: Fork, shared: Lsn) -> Option<Move> {
        let end = self
            .chain
            .track(fork)
            .and_then(|track| track.end_at(log.last));
        let since = end.map_or(log.finished, |end| end.since);
        let whole = Move {
            log: log.slot,
            to: log.last,
            stop: None,
            time: Some(since),
            done: false,
        };
        let can_stop = facts.can_stop_inside();
        let stopped = |to, stop, time, done| {
            can_stop.then_some(Move {
                log: log.slot,
                to,
                stop: Some(stop),
                time,
                done,
            })
        };
        let as_far_as_shared = || {
            if log.last <= shared {
                Some(whole)
            } else {
                stopped(shared, Stop::Before(shared), None, false)
            }
        };
        match self.goal {
            Goal::LastBefore(_) => None,
            Goal::Place {
                lsn,
                including: false,
            } if lsn < log.last && lsn <= shared => stopped(lsn, Stop::Before(lsn), None, true),
            Goal::Place {
                lsn,
                including: true,
            } if lsn < log.last && lsn < shared => {
                stopped(lsn, Stop::At(lsn), None, true).map(|next| Move {
                    // One record further than `lsn`, which has no name.
                    to: log.last,
                    ..next
                })
            }
            Goal::Furthest | Goal::Place { .. } => as_far_as_shared().map(|next| Move {
                done: matches!(self.goal, Goal::Place { lsn, including: false } if lsn == next.to),
                ..next
            }),
            Goal::Time(time) if fork == self.fork => {
                if log.finished >= time && can_stop {
                    stopped(log.last, Stop::Time(time), Some(time), true)
                } else {
                    (since <= time).then_some(whole)
                }
            }
            Goal::Time(_) if log.last <= shared => Some(whole),
            Goal::Time(time) => {
                let place = Place {
                    fork: self.fork,
                    lsn: shared,
                };
                if self.chain.tree().owner(place).fork != self.fork {
                    return stopped(shared, Stop::Before(shared), None, false);
                }
                // The log of a fork that left this one: does it leave before or after the time?
                let (earliest, latest) = self.chain.time_at(self.fork, shared);
                if earliest.is_some_and(|earliest| earliest >= time) {
                    stopped(shared, Stop::Time(time), Some(time), true)
                } else if latest.is_some_and(|latest| latest <= time) {
                    stopped(shared, Stop::Before(shared), latest, false)
                } else {
                    None
                }
            }
        }
    }

    /// The forks whose history is that of the goal at `lsn`, with how far it is.
    pub(super) fn shared_forks(&self, lsn: Lsn) -> impl Iterator<Item = (Fork, Lsn)> + '_ {
        self.chain.tree().iter().filter_map(move |fork| {
            let shared = self.agreement.get(fork.index()).copied().flatten()?;
            (lsn <= shared).then_some((fork, shared))
        })
    }

    fn standing(&self, lsn: Lsn) -> At {
        let time = self.chain.end_time(self.fork, lsn);
        At {
            start: Start::Standing,
            lsn,
            time,
        }
    }

    /// A differential that takes a database further that was restored from the same full.
    fn jump(&self, standing: &Standing) -> Option<At> {
        let base = standing.base?;
        let at = self.last_differential(|full| full.set == base)?;
        let start = match at.start {
            // The full is there already.
            Start::Differential { differential, .. } => Start::Full(differential),
            other => other,
        };
        (at.lsn > standing.lsn).then_some(At { start, ..at })
    }

    /// When the history had come to the end of a backup.
    fn since(&self, data: &DataEntry, facts: &PointFacts) -> ServerTime {
        let track = self
            .chain
            .fork_of(facts)
            .and_then(|fork| self.chain.track(fork));
        let end = track.and_then(|track| track.end_at(data.end));
        end.map_or(data.finished, |end| end.since)
    }

    fn last_full(&self) -> Option<At> {
        self.last_data(|track| &track.fulls, |_| true)
            .map(|(data, facts)| At {
                start: Start::Full(data.slot),
                lsn: data.end,
                time: Some(self.since(&data, facts)),
            })
    }

    fn last_differential(&self, base_fits: impl Fn(&PointFacts) -> bool) -> Option<At> {
        if !self.options.differentials {
            return None;
        }
        let base = |slot| {
            self.chain
                .base(slot)
                .and_then(|base| Some((base, self.chain.at(base)?)))
        };
        let fits = |slot| base(slot).is_some_and(|(_, full)| self.usable(full) && base_fits(full));
        let (data, facts) = self.last_data(|track| &track.differentials, fits)?;
        Some(At {
            start: Start::Differential {
                full: base(data.slot)?.0,
                differential: data.slot,
            },
            lsn: data.end,
            time: Some(self.since(&data, facts)),
        })
    }

    /// The data backup that ends last on the way to the goal, and not after it.
    fn last_data(
        &self,
        list: impl Fn(&crate::chain::track::Track) -> &[DataEntry],
        fits: impl Fn(Slot) -> bool,
    ) -> Option<(DataEntry, &'c PointFacts)> {
        let mut best: Option<(DataEntry, &PointFacts)> = None;
        for (fork, shared) in self.shared_forks(Lsn::ZERO) {
            let Some(track) = self.chain.track(fork) else {
                continue;
            };
            let list = list(track);
            let until = match self.goal {
                Goal::Place { lsn, .. } => shared.min(lsn),
                _ => shared,
            };
            let count = list.partition_point(|data| data.end <= until);
            for data in list.iter().take(count).rev() {
                if best.is_some_and(|(best, _)| data.end < best.end) {
                    break;
                }
                let in_time = match self.goal {
                    // The end of a data backup must not be after a stop; without one it may be,
                    // if nothing happened in between.
                    Goal::Time(time) => {
                        let came = track.end_at(data.end).is_some_and(|end| end.since <= time);
                        data.finished <= time || came && track.rests_at(data.end, time)
                    }
                    Goal::LastBefore(time) => data.finished <= time,
                    Goal::Furthest | Goal::Place { .. } => true,
                };
                let facts = self.chain.at(data.slot).filter(|facts| self.usable(facts));
                let Some(facts) = facts.filter(|_| in_time && fits(data.slot)) else {
                    continue;
                };
                let key = |data: &DataEntry, facts: &PointFacts| {
                    (data.end, self.prefer == Some(data.slot), !facts.copy_only)
                };
                if best.is_none_or(|(old, old_facts)| key(data, facts) > key(&old, old_facts)) {
                    best = Some((*data, facts));
                }
            }
        }
        best
    }

    pub(super) fn usable(&self, facts: &PointFacts) -> bool {
        match facts.unusable {
            None => true,
            Some(Unusable::TakenFromDamagedDatabase) => self.options.taken_from_damaged,
            Some(_) => false,
        }
    }
}
