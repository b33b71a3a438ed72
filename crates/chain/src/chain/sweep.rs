//! Which places can be reached by restoring whole backups, in one pass by LSN.

use crate::{Lsn, ServerTime};

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
}

/// Per fork, by LSN: the places on the fork's own part of history.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reached(Vec<Vec<End>>);

enum Event {
    Data(Slot),
    Log(LogEntry),
    /// Another fork leaves here.
    Branch,
}

pub(super) fn sweep(chain: &Chain) -> Reached {
    let mut reached = Reached(vec![Vec::new(); chain.tree().len()]);
    let mut events = events(chain);
    events.sort_by_key(|(place, event)| (place.lsn, matches!(event, Event::Branch)));
    let since = |place: Place| Some(chain.track(place.fork)?.end_at(place.lsn)?.since);
    for (place, event) in events {
        let end = match event {
            Event::Data(slot) => data_usable(chain, slot).then(|| End {
                lsn: place.lsn,
                time: since(place),
                whole: true,
            }),
            Event::Log(log) => {
                let can = chain.at(log.slot).is_some_and(usable);
                (can && reached
                    .first_in(chain, place.fork, log.first, log.last)
                    .is_some())
                .then_some(End {
                    lsn: place.lsn,
                    time: since(place),
                    whole: true,
                })
            }
            Event::Branch => stop_at_branch(chain, &reached, place),
        };
        if let Some(end) = end {
            reached.add(chain.tree().owner(place).fork, end);
        }
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

/// A restore can stop where a fork leaves, if some log goes on beyond.
fn stop_at_branch(chain: &Chain, reached: &Reached, place: Place) -> Option<End> {
    let owner = chain.tree().owner(place);
    if reached.ends_at(owner) {
        return None;
    }
    let agreement = chain.tree().agreement(owner.fork);
    let can_stop = chain.tree().iter().any(|other| {
        let shared = agreement.get(other.index()).copied().flatten();
        shared.is_some_and(|shared| shared >= place.lsn)
            && chain.track(other).is_some_and(|track| {
                track.logs_over(place.lsn).any(|log| {
                    let can = |facts| usable(facts) && facts.can_stop_inside();
                    chain.at(log.slot).is_some_and(can)
                        && reached
                            .first_in(chain, owner.fork, log.first, place.lsn)
                            .is_some()
                })
            })
    });
    can_stop.then(|| End {
        lsn: place.lsn,
        time: chain.time_at(owner.fork, place.lsn).1,
        whole: false,
    })
}

impl Reached {
    fn add(&mut self, fork: Fork, end: End) {
        let Some(ends) = self.0.get_mut(fork.index()) else {
            return;
        };
        match ends.last_mut().filter(|last| last.lsn == end.lsn) {
            Some(last) => {
                last.whole |= end.whole;
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
        self.0
            .get(owner.fork.index())
            .and_then(|ends| {
                let at = ends.binary_search_by_key(&owner.lsn, |end| end.lsn).ok()?;
                ends.get(at)
            })
            .is_some_and(|end| end.whole)
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
            let ends = self.0.get(fork.index()).map_or(&[][..], Vec::as_slice);
            let start = ends.partition_point(|end| end.lsn < from);
            ends.iter()
                .skip(start)
                .take_while(move |end| end.lsn < to && end.lsn <= until)
                .copied()
        })
    }
}
