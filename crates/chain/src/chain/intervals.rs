//! Which times can be reached, and what is between them.

use std::fmt;

use crate::{Chain, ForkId, Lsn, PointFacts, ServerTime, UnreachableCause};

use super::build::usable;
use super::forks::{Fork, Place};
use super::track::Track;

/// The times that can be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Reachable {
    /// Per recovery fork, the newest first.
    pub forks: Vec<ForkReach>,
}

/// The times that can be reached on one recovery fork.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ForkReach {
    /// The fork; `None` when the headers do not name one.
    pub fork: Option<ForkId>,
    /// In order, without overlap.
    pub intervals: Vec<Interval>,
    /// What is between them, and after the last one, if there are later backups.
    pub gaps: Vec<Gap>,
}

/// Every time from one moment to another can be reached, both included. A full or differential
/// without logs gives an interval of one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Interval {
    /// The first moment.
    pub from: ServerTime,
    /// The last moment.
    pub to: ServerTime,
}

/// No time between two moments can be reached; the moments themselves can.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Gap {
    /// The last moment before that can be reached; `None` before the first interval.
    pub after: Option<ServerTime>,
    /// The first moment after that can be reached; `None` after the last interval.
    pub before: Option<ServerTime>,
    /// Why not.
    pub cause: UnreachableCause,
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.from == self.to {
            write!(f, "{}", self.from)
        } else {
            write!(f, "{} to {}", self.from, self.to)
        }
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.after, self.before) {
            (Some(after), Some(before)) => write!(f, "between {after} and {before}: ")?,
            (Some(after), None) => write!(f, "after {after}: ")?,
            (None, Some(before)) => write!(f, "before {before}: ")?,
            (None, None) => f.write_str("nothing: ")?,
        }
        self.cause.fmt(f)
    }
}

impl Chain {
    /// The times that can be reached, per recovery fork, and the gaps with their causes.
    pub fn reachable(&self) -> Reachable {
        let forks = self.forks_by_age().filter_map(|fork| {
            let (_, last) = self.track(fork)?.activity?;
            let intervals = self.intervals(fork);
            let gaps = self.gaps(fork, &intervals, last);
            Some(ForkReach {
                fork: self.forks.id(fork),
                intervals,
                gaps,
            })
        });
        Reachable {
            forks: forks.collect(),
        }
    }

    /// The times on the fork's own part of history that can be reached.
    pub(crate) fn intervals(&self, fork: Fork) -> Vec<Interval> {
        let Some(track) = self.track(fork) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        self.data_moments(fork, track, &mut found);
        self.log_spans(fork, track, &mut found);
        self.spans_of_leaving_forks(fork, &mut found);
        let born = match self.forks.branch_of(fork) {
            Some(_) => self.born(fork),
            None => ServerTime::from_micros(i64::MIN),
        };
        for interval in &mut found {
            interval.from = interval.from.max(born);
        }
        found.retain(|interval| interval.from <= interval.to);
        merge(found)
    }

    fn data_moments(&self, fork: Fork, track: &Track, found: &mut Vec<Interval>) {
        for data in track.fulls.iter().chain(&track.differentials) {
            // It may be reached without this backup.
            if self
                .end_time(fork, data.end)
                .is_some_and(|since| since <= data.finished)
            {
                found.push(Interval {
                    from: data.finished,
                    to: data.finished,
                });
            }
        }
    }

    fn log_spans(&self, fork: Fork, track: &Track, found: &mut Vec<Interval>) {
        for log in track.logs() {
            let Some(facts) = self.at(log.slot).filter(|facts| usable(facts)) else {
                continue;
            };
            let Some(start) = self.reached.first_in(self, fork, log.first, log.last) else {
                continue;
            };
            let from = start
                .time
                .filter(|_| facts.can_stop_inside())
                .unwrap_or(log.finished);
            found.push(Interval {
                from: from.min(log.finished),
                to: log.finished,
            });
        }
        // Between a backup and the moment that a recovery went back to, if nothing was logged.
        for branch in self
            .forks
            .iter()
            .filter_map(|child| self.forks.branch_of(child))
        {
            let since = self
                .end_time(fork, branch.at)
                .filter(|_| branch.parent == fork);
            if let (Some(from), Some(to)) = (since, self.recorded_at(fork, branch.at)) {
                found.push(Interval { from, to });
            }
        }
        // After a place where the log is known to have rested.
        for end in track.log_ends() {
            if self.end_time(fork, end.at).is_some() {
                for (from, to) in [(end.since, end.until), (end.since, end.since)] {
                    found.push(Interval { from, to });
                }
            }
        }
    }

    /// A log that goes on to another fork holds the history of this one up to where they part.
    fn spans_of_leaving_forks(&self, fork: Fork, found: &mut Vec<Interval>) {
        let agreement = self.forks.agreement(fork);
        for other in self.forks.iter().filter(|other| *other != fork) {
            let shared = agreement.get(other.index()).copied().flatten();
            let (Some(lsn), Some(track)) = (shared, self.track(other)) else {
                continue;
            };
            if self.forks.owner(Place { fork, lsn }).fork != fork {
                continue;
            }
            let (Some(to), _) = self.time_at(fork, lsn) else {
                continue;
            };
            for log in track.logs_over(lsn) {
                let can = self
                    .at(log.slot)
                    .is_some_and(|f| usable(f) && f.can_stop_inside());
                let start = self.reached.first_in(self, fork, log.first, lsn);
                if let Some(from) = start.filter(|_| can).and_then(|start| start.time) {
                    found.push(Interval { from, to });
                }
            }
        }
    }

    fn gaps(&self, fork: Fork, intervals: &[Interval], last: ServerTime) -> Vec<Gap> {
        let mut gaps = Vec::new();
        let mut push = |after: Option<ServerTime>, before, moment| {
            if let Some(cause) = crate::plan::cause_at(self, fork, moment) {
                gaps.push(Gap {
                    after,
                    before,
                    cause,
                });
            }
        };
        let moment_after =
            |time: ServerTime| ServerTime::from_micros(time.as_micros().saturating_add(1));
        match intervals.last() {
            None => push(None, None, last),
            Some(end) => {
                for pair in intervals.windows(2) {
                    if let [before, after] = pair {
                        push(Some(before.to), Some(after.from), moment_after(before.to));
                    }
                }
                if end.to < last {
                    push(Some(end.to), None, moment_after(end.to));
                }
            }
        }
        gaps
    }

    /// When the history on the way to `fork` had come to `lsn`, if a backup ends there.
    pub(crate) fn end_time(&self, fork: Fork, lsn: Lsn) -> Option<ServerTime> {
        let place = self.reached.on_path(self, fork, lsn, Lsn::MAX).next()?;
        (place.lsn == lsn).then_some(place.time).flatten()
    }

    /// The greatest LSN that a backup on the fork ends at.
    pub(crate) fn known_end(&self, fork: Fork) -> Option<Lsn> {
        self.track(fork)?.end()
    }

    /// The last place that can be reached from which a log leads on.
    pub(crate) fn before_log(&self, fork: Fork, log: &PointFacts) -> Option<Lsn> {
        let places = self
            .reached
            .on_path(self, fork, log.first_lsn, log.last_lsn);
        places.last().map(|place| place.lsn)
    }

    /// The last place on the way to `fork` that can be reached.
    pub(crate) fn furthest(&self, fork: Fork) -> Option<Lsn> {
        let places = self.reached.on_path(self, fork, Lsn::ZERO, Lsn::MAX);
        places.last().map(|place| place.lsn)
    }

    /// When the places were reached on both sides of `lsn` that can be.
    pub(crate) fn reached_around(
        &self,
        fork: Fork,
        lsn: Lsn,
    ) -> (Option<ServerTime>, Option<ServerTime>) {
        let mut before = None;
        for place in self.reached.on_path(self, fork, Lsn::ZERO, Lsn::MAX) {
            let Some(time) = place.time else {
                continue;
            };
            if place.lsn > lsn {
                return (before, Some(time));
            }
            before = Some(time);
        }
        (before, None)
    }

    /// Whether it was recorded when a fork began.
    pub(crate) fn birth_is_known(&self, fork: Fork) -> bool {
        self.lives
            .get(fork.index())
            .is_some_and(|life| life.recorded)
    }
}

fn merge(mut found: Vec<Interval>) -> Vec<Interval> {
    found.sort_unstable_by_key(|interval| (interval.from, interval.to));
    let mut merged: Vec<Interval> = Vec::new();
    for interval in found {
        match merged.last_mut().filter(|last| interval.from <= last.to) {
            Some(last) => last.to = last.to.max(interval.to),
            None => merged.push(interval),
        }
    }
    merged
}
