//! Recovery forks: which LSN belongs to whose history.
//!
//! Every recovery to an earlier point begins a fork. Up to its fork point a fork shares the
//! history of its parent; beyond it, the same LSN on the two is two different points. What is
//! known of the tree comes from log backups that cross from one fork to another.

use std::collections::HashMap;

use crate::{ForkId, Lsn};

/// Index of a fork in [`Forks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Fork(u32);

impl Fork {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A place in the history of a database: everything before `lsn` on the way to `fork` is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) fork: Fork,
    pub(crate) lsn: Lsn,
}

/// Where a fork left its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Branch {
    pub(crate) parent: Fork,
    pub(crate) at: Lsn,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Forks {
    ids: Vec<Option<ForkId>>,
    index: HashMap<Option<ForkId>, Fork>,
    branches: Vec<Option<Branch>>,
}

impl Forks {
    /// The index of a fork, which is added when it is new.
    pub(crate) fn add(&mut self, id: Option<ForkId>) -> Fork {
        *self.index.entry(id).or_insert_with(|| {
            let fork = Fork(u32::try_from(self.ids.len()).unwrap_or(u32::MAX));
            self.ids.push(id);
            self.branches.push(None);
            fork
        })
    }

    /// Notes that `child` left `parent` at `at`. Of several accounts, the one with the latest
    /// fork point is the closest parent. One that would close a circle is not believed.
    pub(crate) fn branch(&mut self, child: Fork, parent: Fork, at: Lsn) {
        if self.ancestors(parent).any(|fork| fork == child) {
            return;
        }
        if let Some(branch) = self.branches.get_mut(child.index())
            && branch.is_none_or(|known| at > known.at)
        {
            *branch = Some(Branch { parent, at });
        }
    }

    pub(crate) fn find(&self, id: ForkId) -> Option<Fork> {
        self.index.get(&Some(id)).copied()
    }

    /// The fork of points that do not say theirs.
    pub(crate) fn find_unknown(&self) -> Option<Fork> {
        self.index.get(&None).copied()
    }

    pub(crate) fn id(&self, fork: Fork) -> Option<ForkId> {
        self.ids.get(fork.index()).copied().flatten()
    }

    pub(crate) fn branch_of(&self, fork: Fork) -> Option<Branch> {
        self.branches.get(fork.index()).copied().flatten()
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Fork> + use<> {
        (0..u32::try_from(self.ids.len()).unwrap_or(u32::MAX)).map(Fork)
    }

    /// A fork, its parent, and so on to the root.
    pub(crate) fn ancestors(&self, fork: Fork) -> impl Iterator<Item = Fork> + '_ {
        std::iter::successors(Some(fork), |fork| {
            self.branch_of(*fork).map(|branch| branch.parent)
        })
    }

    /// The same place, named by the fork that the history at this LSN was written on.
    pub(crate) fn owner(&self, mut place: Place) -> Place {
        while let Some(branch) = self.branch_of(place.fork)
            && place.lsn <= branch.at
        {
            place.fork = branch.parent;
        }
        place
    }

    /// For every fork: up to which LSN its history is that of `fork`. `None` where the two have
    /// nothing in common.
    pub(crate) fn agreement(&self, fork: Fork) -> Vec<Option<Lsn>> {
        let mut leaves: HashMap<Fork, Lsn> = HashMap::new();
        let mut until = Lsn::MAX;
        let mut at = fork;
        loop {
            leaves.insert(at, until);
            let Some(branch) = self.branch_of(at) else {
                break;
            };
            until = until.min(branch.at);
            at = branch.parent;
        }
        self.iter()
            .map(|other| {
                let mut until = Lsn::MAX;
                let mut at = other;
                loop {
                    if let Some(shared) = leaves.get(&at) {
                        return Some(until.min(*shared));
                    }
                    let branch = self.branch_of(at)?;
                    until = until.min(branch.at);
                    at = branch.parent;
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lsn(n: u32) -> Lsn {
        Lsn::new(1, n, 1)
    }

    fn id(n: u128) -> ForkId {
        ForkId(uuid::Uuid::from_u128(n))
    }

    #[test]
    fn history_before_the_fork_point_belongs_to_the_parent() {
        let mut forks = Forks::default();
        let (a, b, c) = (
            forks.add(Some(id(1))),
            forks.add(Some(id(2))),
            forks.add(Some(id(3))),
        );
        forks.branch(b, a, lsn(50));
        forks.branch(c, b, lsn(80));
        let owner = |fork, n| forks.owner(Place { fork, lsn: lsn(n) }).fork;
        assert_eq!(owner(c, 81), c);
        assert_eq!(owner(c, 80), b);
        assert_eq!(owner(c, 50), a);
    }

    #[test]
    fn two_forks_agree_up_to_where_they_part() {
        let mut forks = Forks::default();
        let (a, b, c, d) = (
            forks.add(Some(id(1))),
            forks.add(Some(id(2))),
            forks.add(Some(id(3))),
            forks.add(None),
        );
        forks.branch(b, a, lsn(50));
        forks.branch(c, a, lsn(30));
        let agreement = forks.agreement(b);
        assert_eq!(agreement[a.index()], Some(lsn(50)));
        assert_eq!(agreement[b.index()], Some(Lsn::MAX));
        assert_eq!(agreement[c.index()], Some(lsn(30)));
        assert_eq!(agreement[d.index()], None);
        assert_eq!(forks.agreement(a)[b.index()], Some(lsn(50)));
    }

    #[test]
    fn a_circle_is_not_believed() {
        let mut forks = Forks::default();
        let (a, b) = (forks.add(Some(id(1))), forks.add(Some(id(2))));
        forks.branch(b, a, lsn(50));
        forks.branch(a, b, lsn(60));
        forks.branch(a, a, lsn(60));
        assert_eq!(forks.branch_of(a), None);
        assert_eq!(forks.ancestors(b).count(), 2);
    }
}
