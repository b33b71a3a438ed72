//! Which places can be reached by restoring whole backups, in one pass by LSN.

use crate::{Lsn, PointFacts, ServerTime};

use super::Chain;
use super::build::{data_usable, usable};
use super::forks::{Fork, Place};
use super::track::{LogEntry, Slot};

/// A place that can be reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) lsn: Lsn,
    /// When the history had come there, at the latest; `None` when that is not known.
    pub(crate) time: Option<ServerTime>,
    /// Whether a whole backup ends here. Otherwise a restore has to stop here, inside a log.
    whole: bool,
    /// The last full that leads here.
    pub(crate) start: Option<StartAt>,
}

/// The full that a sequence begins with. One that is not copy-only is preferred, then the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StartAt {
    regular: bool,
    end: Lsn,
    pub(crate) full: Slot,
}

/// Per fork, by LSN: the places on the fork's own part of history.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reached {
    ends: Vec<Vec<End>>,
    /// Logs to stop in where a fork leaves, each with the full that leads there.
    crossings: Vec<(Slot, Slot)>,
}

enum Event {
    Data(Slot),
    Log(LogEntry),
    /// Another fork leaves here.
    Branch,
}

pub(super) fn sweep(chain: &Chain) -> Reached {
    let mut reached = Reached {
        ends: vec![Vec::new(); chain.tree().len()],
        crossings: Vec::new(),
    };
    let mut events = events(chain);
    events.sort_by_key(|(place, event)| (place.lsn, matches!(event, Event::Branch)));
    let since = |place: Place| Some(chain.track(place.fork)?.end_at(place.lsn)?.since);
    for (place, event) in events {
        let end = match event {
            Event::Data(slot) => data_usable(chain, slot).then(|| End {
                lsn: place.lsn,
                time: chain.at(slot).map(|facts| facts.finished),
                whole: true,
                start: start(chain, slot),
            }),
            Event::Log(log) => {
                let can = chain.at(log.slot).is_some_and(usable);
                let from = reached.on_path(chain, place.fork, log.first, log.last);
                let start = from.map(|end| end.start).max();
                start.filter(|_| can).map(|start| End {
                    lsn: place.lsn,
                    time: since(place),
                    whole: true,
                    start,
                })
            }
            Event::Branch => stop_at_branch(chain, &reached, place).map(|(log, end)| {
                reached
                    .crossings
                    .extend(end.start.map(|start| (log, start.full)));
                end
            }),
        };
        if let Some(end) = end {
            reached.add(chain.tree().owner(place).fork, end);
        }
    }
    for ends in &mut reached.ends {
        ends.shrink_to_fit();
    }
    reached
}

fn events(chain: &Chain) -> Vec<(Place, Event)> {
    let mut events = Vec::new();
    for fork in chain.tree().iter() {
        if let Some(track) = chain.track(fork) {
            for data in track.fulls.iter().chain(&track.differentials) {
                events.push((
                    Place {
                        fork,
                        lsn: data.end,
                    },
                    Event::Data(data.slot),
                ));
            }
            for log in track.logs() {
                events.push((
                    Place {
                        fork,
                        lsn: log.last,
                    },
                    Event::Log(*log),
                ));
            }
        }
        if let Some(branch) = chain.tree().branch_of(fork) {
            let place = Place {
                fork: branch.parent,
                lsn: branch.at,
            };
            events.push((place, Event::Branch));
        }
    }
    events
}

/// The full that a data backup begins with.
pub(crate) fn start(chain: &Chain, slot: Slot) -> Option<StartAt> {
    let full = chain.base(slot).unwrap_or(slot);
    let facts = chain.at(full)?;
    Some(StartAt {
        regular: !facts.copy_only,
        end: facts.last_lsn,
        full,
    })
}

/// A restore can stop where a fork leaves, if some log goes on beyond.
fn stop_at_branch(chain: &Chain, reached: &Reached, place: Place) -> Option<(Slot, End)> {
    let owner = chain.tree().owner(place);
    if reached.ends_at(owner) {
        return None;
    }
    let agreement = chain.tree().agreement(owner.fork);
    let mut best: Option<(Option<StartAt>, Slot)> = None;
    for other in chain.tree().iter() {
        let shared = agreement.get(other.index()).copied().flatten();
        let Some(track) = chain
            .track(other)
            .filter(|_| shared.is_some_and(|s| s >= place.lsn))
        else {
            continue;
        };
        for log in track.logs_over(place.lsn) {
            let can = |facts: &PointFacts| usable(facts) && facts.can_stop_inside();
            if chain.at(log.slot).is_some_and(can) {
                let from = reached.on_path(chain, owner.fork, log.first, place.lsn);
                best = best.max(from.map(|end| (end.start, log.slot)).max());
            }
        }
    }
    best.map(|(start, log)| {
        let end = End {
            lsn: place.lsn,
            time: chain.time_at(owner.fork, place.lsn).1,
            whole: false,
            start,
        };
        (log, end)
    })
}

impl Reached {
    pub(super) fn memory(&self) -> usize {
        let ends: usize = self.ends.iter().map(|ends| size_of_val(&**ends)).sum();
        ends + size_of_val(&*self.crossings)
    }

    fn add(&mut self, fork: Fork, end: End) {
        let Some(ends) = self.ends.get_mut(fork.index()) else {
            return;
        };
        match ends.last_mut().filter(|last| last.lsn == end.lsn) {
            Some(last) => {
                last.whole |= end.whole;
                last.start = last.start.max(end.start);
                last.time = match (last.time, end.time) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
            }
            None => ends.push(end),
        }
    }

    /// Whether a whole backup ends at `owner`, which names the fork that the LSN was written on.
    pub(crate) fn ends_at(&self, owner: Place) -> bool {
        self.ends
            .get(owner.fork.index())
            .and_then(|ends| {
                let at = ends.binary_search_by_key(&owner.lsn, |end| end.lsn).ok()?;
                ends.get(at)
            })
            .is_some_and(|end| end.whole)
    }

    /// Logs to stop in where a fork leaves, each with the full that leads there.
    pub(super) fn crossings(&self) -> &[(Slot, Slot)] {
        &self.crossings
    }

    /// What leads to `owner`, which names the fork that the LSN was written on.
    pub(crate) fn start_of(&self, owner: Place) -> Option<StartAt> {
        let ends = self.ends.get(owner.fork.index())?;
        let at = ends.binary_search_by_key(&owner.lsn, |end| end.lsn).ok()?;
        ends.get(at)?.start
    }

    /// The first place on the way to `fork` with `from <= lsn < to`.
    pub(crate) fn first_in(&self, chain: &Chain, fork: Fork, from: Lsn, to: Lsn) -> Option<End> {
        self.on_path(chain, fork, from, to).next()
    }

    /// The places on the way to `fork` with `from <= lsn < to`, by LSN.
    pub(crate) fn on_path(
        &self,
        chain: &Chain,
        fork: Fork,
        from: Lsn,
        to: Lsn,
    ) -> impl Iterator<Item = End> + use<'_> {
        // From the fork down to the one that `from` was written on, each with where it is left.
        let mut parts = vec![(fork, Lsn::MAX)];
        let mut at = fork;
        let mut until = Lsn::MAX;
        while let Some(branch) = chain
            .tree()
            .branch_of(at)
            .filter(|branch| from <= branch.at)
        {
            until = until.min(branch.at);
            parts.push((branch.parent, until));
            at = branch.parent;
        }
        parts.into_iter().rev().flat_map(move |(fork, until)| {
            let ends = self.ends.get(fork.index()).map_or(&[][..], Vec::as_slice);
            let start = ends.partition_point(|end| end.lsn < from);
            ends.iter()
                .skip(start)
                .take_while(move |end| end.lsn < to && end.lsn <= until)
                .copied()
        })
    }
}
