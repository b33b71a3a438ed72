//! The index of one database's restore points.

mod build;
pub(crate) mod facts;
pub(crate) mod forks;
mod intervals;
mod state;
mod sweep;
pub(crate) mod track;

pub use build::{ChainBuilder, Recovery};
pub use facts::{PointFacts, Unusable};
pub use intervals::{ForkReach, Gap, Interval, Reachable};
pub use state::{BaseProblem, PointState};

use forks::{Fork, Forks, Place};
use sweep::Reached;
use track::{DataEntry, Slot, Track};

use crate::{ForkId, Lsn, PointId, RestorePoint, ServerTime};

/// The restore points of one database, ordered by recovery fork and LSN.
///
/// A chain is built once and asked often: building takes O(n log n), a plan takes a binary
/// search per step. It never looks at file names, nor at the order in which points were given.
#[derive(Clone, Debug)]
pub struct Chain {
    database: String,
    points: Vec<PointFacts>,
    /// Slots by point id.
    by_id: Vec<Slot>,
    /// Of each point: the full under a differential.
    bases: Vec<Option<Slot>>,
    forks: Forks,
    tracks: Vec<Track>,
    lives: Vec<Life>,
    reached: Reached,
    marks: Vec<MarkAt>,
    fork_assumed: Option<ForkId>,
}

/// What is known of a fork's time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    /// Not before this moment.
    born: ServerTime,
    /// The time the recovery that began it went back to, where that was recorded.
    reached: Option<ServerTime>,
    /// Whether this was recorded, not concluded.
    recorded: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct MarkAt {
    pub(crate) name: Box<str>,
    pub(crate) lsn: Lsn,
    pub(crate) time: ServerTime,
    pub(crate) fork: Fork,
}

impl Chain {
    /// The index of the points of one database.
    ///
    /// Points of several databases have to be told apart first: see [`Catalog`](crate::Catalog).
    pub fn new(points: impl IntoIterator<Item = RestorePoint>) -> Self {
        Self::builder().points(points).build()
    }

    /// To say more than the points do: what cannot be used, and when the database was recovered.
    pub fn builder() -> ChainBuilder {
        ChainBuilder::default()
    }

    /// The database's name in the newest point; empty without points.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// All points, by the time they finished.
    pub fn points(&self) -> &[PointFacts] {
        &self.points
    }

    /// The facts of one point.
    pub fn point(&self, id: PointId) -> Option<&PointFacts> {
        self.slot_of(id).and_then(|slot| self.at(slot))
    }

    /// The full that a differential needs, if it is there. `None` for all else.
    ///
    /// It is found by the exact identity of the backup set. Only where a header lacks that
    /// identity, the checkpoint LSN has to do.
    pub fn base_of(&self, id: PointId) -> Option<PointId> {
        let base = self.base(self.slot_of(id)?)?;
        self.at(base).map(|facts| facts.id)
    }

    /// Every recovery fork that a point is on.
    pub fn forks(&self) -> impl Iterator<Item = ForkId> + '_ {
        self.forks.iter().filter_map(|fork| self.forks.id(fork))
    }

    /// The fork that `fork` left, and where; `None` for a first fork, and where no log backup
    /// crosses from the one to the other.
    pub fn parent_fork(&self, fork: ForkId) -> Option<(Option<ForkId>, Lsn)> {
        let branch = self.forks.branch_of(self.forks.find(fork)?)?;
        Some((self.forks.id(branch.parent), branch.at))
    }

    /// The fork that the newest backup is on: the one a restore of the latest state goes to.
    pub fn newest_fork(&self) -> Option<ForkId> {
        self.forks_by_age()
            .next()
            .and_then(|fork| self.forks.id(fork))
    }

    /// About how many bytes of memory the index takes.
    pub fn memory(&self) -> usize {
        fn of<T>(list: &[T]) -> usize {
            size_of_val(list)
        }
        let tracks: usize = self.tracks.iter().map(Track::memory).sum();
        of(&self.points)
            + of(&self.by_id)
            + of(&self.bases)
            + of(&self.lives)
            + of(&self.marks)
            + tracks
            + self.reached.memory()
            + self.forks.len() * 128
            + size_of::<Self>()
    }

    pub(crate) fn at(&self, slot: Slot) -> Option<&PointFacts> {
        self.points.get(slot.index())
    }

    pub(crate) fn slots(&self) -> impl Iterator<Item = (Slot, &PointFacts)> {
        self.points
            .iter()
            .enumerate()
            .map(|(index, facts)| (Slot::new(index), facts))
    }

    pub(crate) fn slot_of(&self, id: PointId) -> Option<Slot> {
        let point = |slot: &Slot| self.at(*slot).map(|facts| facts.id);
        let at = self
            .by_id
            .binary_search_by(|slot| point(slot).cmp(&Some(id)))
            .ok()?;
        self.by_id.get(at).copied()
    }

    pub(crate) fn base(&self, slot: Slot) -> Option<Slot> {
        self.bases.get(slot.index()).copied().flatten()
    }

    pub(crate) fn tree(&self) -> &Forks {
        &self.forks
    }

    pub(crate) fn track(&self, fork: Fork) -> Option<&Track> {
        self.tracks.get(fork.index())
    }

    pub(crate) fn marks(&self) -> &[MarkAt] {
        &self.marks
    }

    pub(crate) fn fork_assumed(&self) -> Option<ForkId> {
        self.fork_assumed
    }

    /// The fork that `facts` ends on.
    pub(crate) fn fork_of(&self, facts: &PointFacts) -> Option<Fork> {
        match facts.last_fork {
            Some(id) => self.forks.find(id),
            None => self.forks.find_unknown(),
        }
    }

    /// Where a point ends.
    pub(crate) fn end_of(&self, facts: &PointFacts) -> Option<Place> {
        let fork = self.fork_of(facts)?;
        Some(Place {
            fork,
            lsn: facts.last_lsn,
        })
    }

    pub(crate) fn born(&self, fork: Fork) -> ServerTime {
        self.lives
            .get(fork.index())
            .map_or(ServerTime::from_micros(i64::MIN), |life| life.born)
    }

    /// Whether some whole backup ends at this place, in a sequence that can be restored.
    pub(crate) fn is_reached(&self, place: Place) -> bool {
        self.reached.ends_at(self.forks.owner(place))
    }

    /// The full that leads to a point: its own, that of its base, or the last one that a log can
    /// be reached from. For a log that cannot be reached, the last full before it.
    pub(crate) fn start_of(&self, slot: Slot) -> Option<Slot> {
        let facts = self.at(slot)?;
        if facts.kind != crate::BackupKind::Log {
            let full = self
                .base(slot)
                .or_else(|| facts.base.is_none().then_some(slot));
            return full.or_else(|| self.last_full_before(facts));
        }
        let end = self.end_of(facts)?;
        let reached = if facts.is_empty_log() {
            // In an idle database, a later full may end at the same LSN.
            let earlier = |full: &Slot| {
                self.at(*full)
                    .is_some_and(|full| full.finished <= facts.finished)
            };
            let start = self.reached.start_of(self.forks.owner(end));
            start.map(|start| start.full).filter(earlier)
        } else {
            let from = self
                .reached
                .on_path(self, end.fork, facts.first_lsn, facts.last_lsn);
            from.filter_map(|from| from.start)
                .max()
                .map(|start| start.full)
        };
        reached.or_else(|| self.last_full_before(facts))
    }

    /// Logs that a full needs beyond those that [`Chain::start_of`] gives it: to stop in where
    /// another fork leaves.
    pub(crate) fn crossings(&self) -> &[(Slot, Slot)] {
        self.reached.crossings()
    }

    /// The last full before a point on its way, a regular one if there is one.
    fn last_full_before(&self, facts: &PointFacts) -> Option<Slot> {
        let place = self.end_of(facts)?;
        let agreement = self.forks.agreement(place.fork);
        let fulls = self.forks.iter().filter_map(|fork| {
            let shared = agreement.get(fork.index()).copied().flatten()?;
            let fulls = &self.track(fork)?.fulls;
            let until = shared.min(place.lsn);
            let count = fulls.partition_point(|full| full.end <= until);
            let in_time = |full: &&DataEntry| full.finished <= facts.finished;
            let before = fulls.iter().take(count).rev().filter(in_time);
            let regular = |slot| self.at(slot).is_some_and(PointFacts::is_differential_base);
            let mut before = before.map(|full| (regular(full.slot), full.end, full.slot));
            let last = before.next()?;
            std::iter::once(last)
                .chain(before)
                .find(|full| full.0)
                .or(Some(last))
        });
        fulls.max().map(|(_, _, slot)| slot)
    }

    /// The last usable regular full on the way to the newest fork: what the next differential and
    /// the next logs go with.
    pub(crate) fn active_full(&self) -> Option<Slot> {
        let fork = self.forks_by_age().next()?;
        let agreement = self.forks.agreement(fork);
        let fulls = self.forks.iter().filter_map(|other| {
            let shared = agreement.get(other.index()).copied().flatten()?;
            let fulls = &self.track(other)?.fulls;
            let count = fulls.partition_point(|full| full.end <= shared);
            let fits = |slot| {
                let good =
                    |facts: &PointFacts| facts.is_differential_base() && facts.unusable.is_none();
                self.at(slot).is_some_and(good)
            };
            let mut before = fulls.iter().take(count).rev();
            before
                .find(|full| fits(full.slot))
                .map(|full| (full.end, full.slot))
        });
        fulls.max().map(|(_, slot)| slot)
    }

    /// The forks, those with the newest backup first.
    pub(crate) fn forks_by_age(&self) -> impl Iterator<Item = Fork> + use<> {
        let mut forks: Vec<_> = self
            .forks
            .iter()
            .filter_map(|fork| Some((self.track(fork)?.activity?.1, fork)))
            .collect();
        forks.sort_unstable_by(|(a_time, a), (b_time, b)| {
            b_time.cmp(a_time).then_with(|| {
                let depth = |fork| self.forks.ancestors(fork).count();
                depth(*b).cmp(&depth(*a)).then_with(|| b.cmp(a))
            })
        });
        forks.into_iter().map(|(_, fork)| fork)
    }

    /// The forks that the database may have been on at `time`, the likeliest first: the one that
    /// was begun last, and after it those that were still backed up later.
    pub(crate) fn forks_at(&self, time: ServerTime) -> Vec<Fork> {
        let mut forks: Vec<_> = self.forks.iter().collect();
        forks.sort_by_key(|fork| std::cmp::Reverse((self.born(*fork), *fork)));
        let begun = forks.iter().position(|fork| self.born(*fork) <= time);
        let first = begun.unwrap_or(forks.len().saturating_sub(1));
        let alive = |fork: &Fork| {
            self.track(*fork)
                .and_then(|track| track.activity)
                .is_some_and(|(_, last)| last >= time)
        };
        let mut at = forks.into_iter().skip(first);
        at.next().into_iter().chain(at.filter(alive)).collect()
    }

    /// The time that a recovery went back to which began a fork at this place.
    pub(crate) fn recorded_at(&self, fork: Fork, lsn: Lsn) -> Option<ServerTime> {
        let owner = self.forks.owner(Place { fork, lsn }).fork;
        let left_here = |child: &Fork| {
            let branch = self.forks.branch_of(*child);
            branch.is_some_and(|branch| branch.at == lsn && branch.parent == owner)
        };
        let children = self.forks.iter().filter(left_here);
        children
            .filter_map(|child| self.lives.get(child.index())?.reached)
            .max()
    }

    /// Between which times the history on `fork` came to `lsn`.
    pub(crate) fn time_at(&self, fork: Fork, lsn: Lsn) -> (Option<ServerTime>, Option<ServerTime>) {
        let recorded = self.recorded_at(fork, lsn);
        if recorded.is_some() {
            return (recorded, recorded);
        }
        let track = self.track(fork);
        (
            track.and_then(|track| track.not_beyond_until(lsn)),
            track.and_then(|track| track.reached_by(lsn)),
        )
    }
}
