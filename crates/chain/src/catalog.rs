//! Many databases at once.

use std::collections::HashMap;

use crate::{Chain, ChainBuilder, DatabaseId, FamilyId, RestorePoint};

/// The chains of many databases.
///
/// Points belong to one database when they have the same `database_guid` (it stays the same when
/// a database is renamed), or the same name and the same `family_guid` (which stay the same when
/// a database is restored over itself, or backed up on several replicas), or, where the family is
/// not known, the same server and name. So two unrelated databases of one name stay apart, and
/// one restored under another name is a database of its own.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    chains: Vec<Chain>,
}

#[derive(PartialEq, Eq, Hash)]
enum Key {
    Database(DatabaseId),
    Family(String, FamilyId),
    Server(String, String),
}

impl Catalog {
    /// Tells the databases apart, and builds a chain for each.
    pub fn new(points: impl IntoIterator<Item = RestorePoint>) -> Self {
        let mut groups = Groups::default();
        let mut keys: HashMap<Key, usize> = HashMap::new();
        let mut builders: Vec<ChainBuilder> = Vec::new();
        let mut unplaced = Vec::new();
        for point in points {
            let set = &point.set;
            let name = || set.database.clone();
            let by_name = match set.family_id {
                Some(family) => Key::Family(name(), family),
                None => Key::Server(set.server.clone(), name()),
            };
            let group = *keys.entry(by_name).or_insert_with(|| groups.add());
            if let Some(database) = set.database_id {
                let other = *keys.entry(Key::Database(database)).or_insert(group);
                groups.join(group, other);
            }
            unplaced.push((group, point));
        }
        let mut chains: HashMap<usize, usize> = HashMap::new();
        for (group, point) in unplaced {
            let index = *chains.entry(groups.root(group)).or_insert_with(|| {
                builders.push(Chain::builder());
                builders.len() - 1
            });
            if let Some(builder) = builders.get_mut(index) {
                builder.add(point);
            }
        }
        let mut chains: Vec<_> = builders.into_iter().map(ChainBuilder::build).collect();
        chains.sort_by(|a, b| a.database().cmp(b.database()));
        Self { chains }
    }

    /// All chains, by the name of the database.
    pub fn chains(&self) -> &[Chain] {
        &self.chains
    }

    /// All chains, by the name of the database.
    pub fn into_chains(self) -> Vec<Chain> {
        self.chains
    }

    /// The chains of databases of this name: several when it was used for unrelated databases.
    pub fn named<'c>(&'c self, database: &'c str) -> impl Iterator<Item = &'c Chain> {
        self.chains
            .iter()
            .filter(move |chain| chain.database() == database)
    }
}

/// Which groups turned out to be one.
#[derive(Default)]
struct Groups(Vec<usize>);

impl Groups {
    fn add(&mut self) -> usize {
        self.0.push(self.0.len());
        self.0.len() - 1
    }

    fn root(&self, mut group: usize) -> usize {
        while let Some(parent) = self.0.get(group).copied().filter(|parent| *parent != group) {
            group = parent;
        }
        group
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        if let Some(parent) = self.0.get_mut(a.max(b)) {
            *parent = a.min(b);
        }
    }
}
