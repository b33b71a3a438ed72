//! Why a search got stuck, and what is near.

use crate::chain::forks::Fork;
use crate::chain::track::DataEntry;
use crate::{BackupKind, Chain, Lsn, PointFacts, ServerTime};

use super::search::{Goal, Search, Stuck};
use super::unreachable::UnreachableCause as Cause;
use super::{Near, PlanOptions};

/// What is in the way.
pub(super) fn explain(search: &Search<'_>, stuck: Stuck) -> Cause {
    match stuck {
        Stuck::NoStart => no_start(search),
        Stuck::At(lsn) => no_log(search, lsn),
    }
}

/// Why a point cannot be restored that has only itself and its base to blame.
pub(super) fn point_cause(search: &Search<'_>, facts: &PointFacts) -> Option<Cause> {
    if let Some(why) = facts.unusable.filter(|_| !search.usable(facts)) {
        return Some(Cause::Unusable {
            point: facts.id,
            why,
        });
    }
    base_cause(search, facts)
}

fn base_cause(search: &Search<'_>, facts: &PointFacts) -> Option<Cause> {
    let named = facts.base?;
    let slot = search.chain.slot_of(facts.id)?;
    let Some(base) = search
        .chain
        .base(slot)
        .and_then(|base| search.chain.at(base))
    else {
        return Some(Cause::BaseMissing {
            differential: facts.id,
            base: named.id,
            base_lsn: named.lsn,
        });
    };
    let why = base.unusable.filter(|_| !search.usable(base))?;
    Some(Cause::BaseUnusable {
        differential: facts.id,
        full: base.id,
        why,
    })
}

fn no_start(search: &Search<'_>) -> Cause {
    let mut last: Option<(Lsn, Cause)> = None;
    let mut first_later: Option<(Lsn, &PointFacts)> = None;
    for (fork, shared) in search.shared_forks(Lsn::ZERO) {
        let Some(track) = search.chain.track(fork) else {
            continue;
        };
        for data in track.fulls.iter().chain(&track.differentials) {
            let Some(facts) = search.chain.at(data.slot).filter(|_| data.end <= shared) else {
                continue;
            };
            if in_reach(search.goal, data) {
                if let Some(cause) = point_cause(search, facts)
                    && last.as_ref().is_none_or(|(lsn, _)| *lsn < data.end)
                {
                    last = Some((data.end, cause));
                }
            } else if facts.kind == BackupKind::Full
                && first_later.is_none_or(|(lsn, _)| data.end < lsn)
            {
                first_later = Some((data.end, facts));
            }
        }
    }
    last.map_or_else(
        || Cause::NoFullBefore {
            fork: search.chain.tree().id(search.fork),
            first: first_later.map(|(_, facts)| facts.id),
        },
        |(_, cause)| cause,
    )
}

fn in_reach(goal: Goal, data: &DataEntry) -> bool {
    match goal {
        Goal::Furthest => true,
        Goal::Time(time) | Goal::LastBefore(time) => data.finished <= time,
        Goal::Place { lsn, .. } => data.end <= lsn,
    }
}

fn no_log(search: &Search<'_>, lsn: Lsn) -> Cause {
    let mut over: Option<(Lsn, Cause)> = None;
    let mut next: Option<(Lsn, &PointFacts)> = None;
    for (fork, shared) in search.shared_forks(lsn) {
        let Some(track) = search.chain.track(fork) else {
            continue;
        };
        for log in track.logs_over(lsn) {
            let Some(facts) = search.chain.at(log.slot) else {
                continue;
            };
            let cause = match facts.unusable.filter(|_| !search.usable(facts)) {
                Some(why) => Cause::Unusable {
                    point: facts.id,
                    why,
                },
                None if !facts.can_stop_inside() => Cause::BulkLogged { log: facts.id },
                None => continue,
            };
            // Of two in the way, the one that would have led further is named.
            if over.as_ref().is_none_or(|(last, _)| *last < log.last) {
                over = Some((log.last, cause));
            }
        }
        if let Some(log) = track.log_after(lsn).filter(|log| log.first <= shared)
            && let Some(facts) = search.chain.at(log.slot)
            && next.is_none_or(|(first, _)| log.first < first)
        {
            next = Some((log.first, facts));
        }
    }
    if let Some((_, cause)) = over {
        return cause;
    }
    match next {
        Some((to, facts)) => Cause::LogGap {
            fork: search.chain.tree().id(search.fork),
            from: lsn,
            to,
            next: facts.id,
        },
        None => Cause::PastEnd {
            fork: search.chain.tree().id(search.fork),
            lsn,
        },
    }
}

/// Why a time on a fork cannot be reached; `None` when it can.
pub(crate) fn cause_at(chain: &Chain, fork: Fork, time: ServerTime) -> Option<Cause> {
    let search = Search::new(chain, fork, Goal::Time(time), PlanOptions::default());
    search.run(None).err().map(|stuck| explain(&search, stuck))
}

/// The nearest times that can be reached.
pub(super) fn near_time(chain: &Chain, time: ServerTime) -> (Option<Near>, Option<Near>) {
    let mut before: Option<Near> = None;
    let mut after: Option<Near> = None;
    for fork in chain.tree().iter() {
        let near = |time| Near {
            time,
            fork: chain.tree().id(fork),
        };
        for interval in chain.intervals(fork) {
            if interval.from > time {
                if after.is_none_or(|old| interval.from < old.time) {
                    after = Some(near(interval.from));
                }
            } else {
                let last = interval.to.min(time);
                if before.is_none_or(|old| last > old.time) {
                    before = Some(near(last));
                }
            }
        }
    }
    (before, after)
}

/// The nearest states that can be reached where a backup ends.
pub(super) fn near_lsn(chain: &Chain, fork: Fork, lsn: Lsn) -> (Option<Near>, Option<Near>) {
    let near = |time| Near {
        time,
        fork: chain.tree().id(fork),
    };
    let (before, after) = chain.reached_around(fork, lsn);
    (before.map(near), after.map(near))
}
