//! From points to an index.

use std::collections::HashMap;

use crate::{BackupKind, BackupSetId, ForkId, Lsn, PointId, RestorePoint, ServerTime};

use super::facts::{PointFacts, Unusable};
use super::forks::{Fork, Forks, Place};
use super::sweep;
use super::track::{Slot, Track};
use super::{Chain, Life, MarkAt};

/// A recovery of the database that began a fork, as its restore history has it.
///
/// Backup headers say at which LSN a fork was taken, but not when. Without this, times between
/// the last backup before a recovery and the first one after it are taken to be on the new fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Recovery {
    /// The fork that the recovery began.
    pub fork: ForkId,
    /// When the database was recovered, on the server's clock.
    pub at: ServerTime,
    /// The time it was recovered to, on the fork before; `None` when not known, and when that
    /// fork's own log was not there.
    pub reached: Option<ServerTime>,
}

/// Collects what a [`Chain`] is built from.
#[derive(Clone, Debug, Default)]
pub struct ChainBuilder {
    database: Option<(ServerTime, String)>,
    points: Vec<PointFacts>,
    marks: Vec<(String, Lsn, ServerTime, Option<ForkId>)>,
    unusable: HashMap<PointId, Unusable>,
    recoveries: Vec<Recovery>,
}

impl ChainBuilder {
    /// Adds restore points.
    #[must_use]
    pub fn points(mut self, points: impl IntoIterator<Item = RestorePoint>) -> Self {
        for point in points {
            self.add(point);
        }
        self
    }

    /// Adds one restore point.
    pub fn add(&mut self, point: RestorePoint) {
        let facts = PointFacts::from(&point);
        for mark in point.set.marks {
            self.marks
                .push((mark.name, mark.lsn, mark.time, facts.last_fork));
        }
        if self
            .database
            .as_ref()
            .is_none_or(|(finished, _)| *finished < facts.finished)
        {
            self.database = Some((facts.finished, point.set.database));
        }
        self.points.push(facts);
    }

    /// Says that a point cannot be used. It still counts as knowledge: it names the gap it
    /// leaves.
    #[must_use]
    pub fn unusable(mut self, point: PointId, why: Unusable) -> Self {
        self.unusable.insert(point, why);
        self
    }

    /// Says when a fork was begun.
    #[must_use]
    pub fn recovery(mut self, recovery: Recovery) -> Self {
        self.recoveries.push(recovery);
        self
    }

    /// Orders everything.
    pub fn build(self) -> Chain {
        let mut points = self.points;
        for facts in &mut points {
            let damaged = facts
                .flags
                .damaged
                .then_some(Unusable::TakenFromDamagedDatabase);
            facts.unusable = self.unusable.get(&facts.id).copied().or(damaged);
        }
        points.sort_by_key(|facts| (facts.finished, facts.last_lsn, facts.kind, facts.id));
        points.dedup_by_key(|facts| facts.id);
        points.shrink_to_fit();
        let fork_assumed = assume_fork(&mut points);

        let forks = fork_tree(&points);
        let mut chain = Chain {
            database: self.database.map(|(_, name)| name).unwrap_or_default(),
            by_id: by_id(&points),
            bases: bases(&points),
            tracks: Vec::new(),
            lives: Vec::new(),
            reached: sweep::Reached::default(),
            marks: Vec::new(),
            fork_assumed,
            points,
            forks,
        };
        chain.tracks = tracks(&chain);
        chain.lives = lives(&chain, &self.recoveries);
        chain.marks = marks(&chain, self.marks);
        chain.reached = sweep::sweep(&chain);
        chain
    }
}

/// Points without a fork are taken to be on the only fork there is, if there is only one.
fn assume_fork(points: &mut [PointFacts]) -> Option<ForkId> {
    let mut known = points.iter().filter_map(|facts| facts.last_fork);
    let only = known.next()?;
    if known.any(|fork| fork != only) || points.iter().any(|p| p.first_fork != p.last_fork) {
        return None;
    }
    let mut assumed = None;
    for facts in points.iter_mut().filter(|facts| facts.last_fork.is_none()) {
        facts.first_fork = Some(only);
        facts.last_fork = Some(only);
        assumed = Some(only);
    }
    assumed
}

fn fork_tree(points: &[PointFacts]) -> Forks {
    let mut forks = Forks::default();
    let mut crossings = Vec::new();
    for facts in points {
        let last = forks.add(facts.last_fork);
        let first = forks.add(facts.first_fork);
        if first != last {
            // Without a fork point, only the beginning is sure to be on the first fork.
            let at = facts.fork_point.unwrap_or(facts.first_lsn);
            crossings.push((facts.first_lsn, last, first, at));
        }
    }
    crossings.sort_unstable();
    for (_, last, first, at) in crossings.into_iter().rev() {
        forks.branch(last, first, at);
    }
    forks
}

fn by_id(points: &[PointFacts]) -> Vec<Slot> {
    let mut slots: Vec<_> = points
        .iter()
        .enumerate()
        .map(|(index, facts)| (facts.id, Slot::new(index)))
        .collect();
    slots.sort_unstable();
    slots.into_iter().map(|(_, slot)| slot).collect()
}

fn bases(points: &[PointFacts]) -> Vec<Option<Slot>> {
    let mut by_set: HashMap<BackupSetId, Slot> = HashMap::new();
    let mut by_lsn: HashMap<(Lsn, Option<ForkId>), Slot> = HashMap::new();
    // A set that is there twice is taken from where it can be read.
    let better = |old: Option<&Slot>, new: &PointFacts| {
        let old = old.and_then(|slot| points.get(slot.index()));
        old.is_none_or(|old| old.unusable.is_some() || new.unusable.is_none())
    };
    let fulls = points
        .iter()
        .enumerate()
        .filter(|(_, facts)| facts.is_differential_base());
    for (index, facts) in fulls {
        if better(by_set.get(&facts.set), facts) {
            by_set.insert(facts.set, Slot::new(index));
        }
        let key = (facts.checkpoint_lsn, facts.last_fork);
        if better(by_lsn.get(&key), facts) {
            by_lsn.insert(key, Slot::new(index));
        }
    }
    points
        .iter()
        .map(|facts| {
            let base = facts.base?;
            match base.id {
                Some(id) => by_set.get(&id).copied(),
                None => by_lsn.get(&(base.lsn, facts.first_fork)).copied(),
            }
        })
        .collect()
}

fn tracks(chain: &Chain) -> Vec<Track> {
    let mut tracks = vec![Track::default(); chain.forks.len()];
    for (slot, facts) in chain.slots() {
        let Some(fork) = chain.fork_of(facts) else {
            continue;
        };
        let Some(first_lsn) = beginning(chain, fork, facts) else {
            continue;
        };
        if let Some(track) = tracks.get_mut(fork.index()) {
            track.push(slot, facts, first_lsn);
        }
    }
    for track in &mut tracks {
        track.finish();
    }
    tracks
}

/// The first place that a log can be applied at: its first LSN, and never before the fork it says
/// to begin on. At a fork point itself, a database is still on the fork before.
fn beginning(chain: &Chain, fork: Fork, facts: &PointFacts) -> Option<Lsn> {
    let first = match facts.first_fork {
        Some(id) => chain.forks.find(id)?,
        None => fork,
    };
    // What a header says of a fork that does not lead to its last one cannot be used.
    let is_on_the_way = chain.forks.ancestors(fork).any(|before| before == first);
    let from = if is_on_the_way { first } else { fork };
    let after = chain.forks.branch_of(from).map(|branch| branch.at.next());
    Some(after.map_or(facts.first_lsn, |after| after.max(facts.first_lsn)))
}

fn lives(chain: &Chain, recoveries: &[Recovery]) -> Vec<Life> {
    let mut finishes: Vec<Vec<ServerTime>> = vec![Vec::new(); chain.forks.len()];
    for (_, facts) in chain.slots() {
        if let Some(list) = chain
            .fork_of(facts)
            .and_then(|fork| finishes.get_mut(fork.index()))
        {
            // Points are ordered by their finish.
            list.push(facts.finished);
        }
    }
    let always = ServerTime::from_micros(i64::MIN);
    let estimate = |fork: Fork| {
        let Some((first_start, _)) = chain.track(fork).and_then(|track| track.activity) else {
            return always;
        };
        let Some(branch) = chain.forks.branch_of(fork) else {
            return first_start;
        };
        let before = finishes
            .get(branch.parent.index())
            .map_or(&[][..], Vec::as_slice);
        let count = before.partition_point(|finished| *finished <= first_start);
        let last = count.checked_sub(1).and_then(|at| before.get(at));
        last.map_or(always, |last| {
            ServerTime::from_micros(last.as_micros().saturating_add(1))
        })
    };
    chain
        .forks
        .iter()
        .map(|fork| {
            let id = chain.forks.id(fork);
            let recorded = recoveries.iter().find(|recovery| Some(recovery.fork) == id);
            match recorded {
                Some(recovery) => Life {
                    born: recovery.at,
                    reached: recovery.reached,
                    recorded: true,
                },
                None => Life {
                    born: estimate(fork),
                    reached: None,
                    recorded: false,
                },
            }
        })
        .collect()
}

fn marks(chain: &Chain, marks: Vec<(String, Lsn, ServerTime, Option<ForkId>)>) -> Vec<MarkAt> {
    let mut marks: Vec<_> = marks
        .into_iter()
        .filter_map(|(name, lsn, time, fork)| {
            let fork = match fork.or(chain.fork_assumed) {
                Some(id) => chain.forks.find(id),
                None => chain.forks.find_unknown(),
            }?;
            let Place { fork, lsn } = chain.forks.owner(Place { fork, lsn });
            Some(MarkAt {
                name: name.into_boxed_str(),
                lsn,
                time,
                fork,
            })
        })
        .collect();
    // The same mark is in every log that covers it.
    marks.sort_by(|a, b| (&a.name, a.lsn, a.fork).cmp(&(&b.name, b.lsn, b.fork)));
    marks.dedup_by(|a, b| (&a.name, a.lsn, a.fork) == (&b.name, b.lsn, b.fork));
    marks
}

/// Whether a point can be used at all.
pub(super) fn usable(facts: &PointFacts) -> bool {
    facts.unusable.is_none()
}

/// Whether a data backup can be restored: itself, and the full under a differential.
pub(super) fn data_usable(chain: &Chain, slot: Slot) -> bool {
    let Some(facts) = chain.at(slot) else {
        return false;
    };
    let base = match facts.kind {
        BackupKind::Full => return usable(facts),
        BackupKind::Differential => chain.base(slot).and_then(|base| chain.at(base)),
        BackupKind::Log => return false,
    };
    usable(facts) && base.is_some_and(usable)
}
