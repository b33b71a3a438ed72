//! Chains as retention sees them.

use std::collections::{BTreeMap, HashMap};

use crate::chain::track::Slot;
use crate::{Chain, PointFacts, PointId, Target, UtcTime};

use super::Stored;

/// A full and all that depends on it; or a point alone.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) full: Option<PointId>,
    /// Whether it has a full that is not copy-only.
    pub(super) regular: bool,
    pub(super) active: bool,
    pub(super) points: Vec<PointId>,
    pub(super) committed: Vec<UtcTime>,
    /// Whether the full itself is stored.
    full_stored: bool,
    /// When the full was committed; of a point alone, the point.
    pub(super) first: UtcTime,
    /// When the last point was committed.
    pub(super) last: UtcTime,
    pub(super) held: Option<PointId>,
}

/// All groups, by the time they began.
pub(super) fn groups<F>(chain: &Chain, stored: &[Stored<F>]) -> Vec<Group> {
    let mut points: BTreeMap<PointId, (UtcTime, bool)> = BTreeMap::new();
    for place in stored {
        let (committed, held) = points
            .entry(place.point)
            .or_insert((place.committed, false));
        *committed = place.committed.max(*committed);
        *held |= place.held;
    }
    // New backups go with the last regular full; the latest state may need another one.
    let active = [chain.active_full(), latest_full(chain)];
    let mut groups: Vec<Group> = Vec::new();
    let mut by_full: HashMap<PointId, usize> = HashMap::new();
    for (&point, &(committed, held)) in &points {
        let full = chain.slot_of(point).and_then(|slot| chain.start_of(slot));
        let facts = full.and_then(|slot| chain.at(slot));
        let new = Group {
            full: facts.map(|full| full.id),
            regular: facts.is_some_and(PointFacts::is_differential_base),
            active: full.is_some() && active.contains(&full),
            full_stored: false,
            points: Vec::new(),
            committed: Vec::new(),
            first: committed,
            last: committed,
            held: None,
        };
        let fresh = groups.len();
        let index = match new.full {
            Some(full) => *by_full.entry(full).or_insert(fresh),
            None => fresh,
        };
        if index == fresh {
            groups.push(new);
        }
        if let Some(group) = groups.get_mut(index) {
            group.points.push(point);
            group.committed.push(committed);
            let is_full = group.full == Some(point);
            if is_full {
                group.first = committed;
            } else if !group.full_stored {
                group.first = group.first.min(committed);
            }
            group.full_stored |= is_full;
            group.last = group.last.max(committed);
            if held {
                group.held = group.held.or(Some(point));
            }
        }
    }
    for (log, full) in chain.crossings() {
        let id = |slot| chain.at(slot).map(|facts| facts.id);
        let (Some(log), Some(full)) = (id(*log), id(*full)) else {
            continue;
        };
        let group = by_full.get(&full).and_then(|index| groups.get_mut(*index));
        if let (Some(group), Some((committed, _))) = (group, points.get(&log))
            && !group.points.contains(&log)
        {
            group.points.push(log);
            group.committed.push(*committed);
            group.last = group.last.max(*committed);
        }
    }
    groups.sort_by_key(|group| (group.first, group.full));
    groups
}

/// The full that the latest state is restored from.
fn latest_full(chain: &Chain) -> Option<Slot> {
    let plan = chain.plan(&Target::Latest).ok()?;
    chain.start_of(chain.slot_of(plan.steps.last()?.point)?)
}
