//! All rows: the databases in them, and the files of each backup set.

use std::collections::{BTreeMap, HashMap};

use serde_json::value::RawValue;
use uuid::Uuid;
use vab_chain::{Catalog, Chain, Note, PointId, RestorePoint};

use crate::row::{Row, RowError};

/// A history that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HistoryError {
    #[error("this is not a JSON array of objects: {0}")]
    Json(serde_json::Error),
    #[error("row {number}: {error}")]
    Row { number: usize, error: RowError },
    #[error("there are no backups in it")]
    Empty,
    #[error("there are several databases in it; choose one with --database: {}", names.join(", "))]
    Several { names: Vec<String> },
    #[error("there is no database `{name}` in it; there are: {}", names.join(", "))]
    NoSuchDatabase { name: String, names: Vec<String> },
}

/// A file that a backup set, or a stripe of it, is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) name: String,
    /// Which set of the file it is, counted from 1.
    pub(crate) position: Option<u32>,
}

/// One database.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) chain: Chain,
    files: HashMap<PointId, Vec<File>>,
    /// Sets whose rows name no identity.
    unnamed: Vec<PointId>,
}

#[derive(Debug)]
pub(crate) struct History {
    databases: Vec<Database>,
    notes: Vec<String>,
}

struct Set {
    point: RestorePoint,
    files: Vec<File>,
    named: bool,
}

impl History {
    /// Reads a JSON array of rows. A single object counts as an array of one, which is how
    /// `ConvertTo-Json` writes it.
    pub(crate) fn read(text: &[u8]) -> Result<Self, HistoryError> {
        // PowerShell likes to begin a file with a byte order mark.
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let is_object = text.trim_ascii_start().first() == Some(&b'{');
        let rows: Vec<BTreeMap<String, Box<RawValue>>> = if is_object {
            serde_json::from_slice(text).map(|row| vec![row])
        } else {
            serde_json::from_slice(text)
        }
        .map_err(HistoryError::Json)?;

        let mut notes = Vec::new();
        let mut sets: Vec<Set> = Vec::new();
        let mut by_id: HashMap<Uuid, usize> = HashMap::new();
        let mut utc = false;
        for (index, columns) in rows.into_iter().enumerate() {
            let number = index + 1;
            let row = Row::new(columns);
            let at_row = |error| HistoryError::Row { number, error };
            let Some(kind) = row.kind().map_err(at_row)? else {
                notes.push(format!(
                    "row {number} is a file or partial backup and was left out"
                ));
                continue;
            };
            utc |= row.has_utc_dates();
            let named = row.set_id();
            let id = named.unwrap_or_else(|| Uuid::from_u128(number as u128));
            let files = row.files().into_iter().map(|name| File {
                name,
                position: row.position(),
            });
            if let Some(set) = by_id.get(&id).and_then(|at| sets.get_mut(*at)) {
                // Another stripe of the same set, or another copy of its row.
                for file in files {
                    if !set.files.contains(&file) {
                        set.files.push(file);
                    }
                }
                continue;
            }
            by_id.insert(id, sets.len());
            sets.push(Set {
                point: RestorePoint {
                    id: PointId(id),
                    set: row.set(id, kind).map_err(at_row)?,
                },
                files: files.collect(),
                named: named.is_some(),
            });
        }
        if sets.is_empty() {
            return Err(HistoryError::Empty);
        }
        if utc {
            notes.push("dates in the form /Date(…)/ are UTC, and so are the times here".to_owned());
        }
        Ok(Self {
            databases: databases(sets),
            notes,
        })
    }

    /// The database of this name, or the only one; with what to say about it.
    pub(crate) fn database(
        &self,
        name: Option<&str>,
    ) -> Result<(&Database, Vec<String>), HistoryError> {
        let matches = |database: &&Database| {
            name.is_none_or(|name| database.chain.database().eq_ignore_ascii_case(name))
        };
        let found: Vec<_> = self.databases.iter().filter(matches).collect();
        let names = || {
            let all = self
                .databases
                .iter()
                .map(|database| database.chain.database().to_owned());
            let mut names: Vec<_> = all.collect();
            names.dedup();
            names
        };
        let last = |database: &&Database| database.chain.points().last().map(|p| p.finished);
        let newest = found.iter().copied().max_by_key(last);
        let Some(newest) = newest else {
            let name = name.unwrap_or_default().to_owned();
            return Err(HistoryError::NoSuchDatabase {
                name,
                names: names(),
            });
        };
        let mut notes = self.notes.clone();
        if found.len() > 1 {
            if found
                .iter()
                .any(|other| other.chain.database() != newest.chain.database())
            {
                return Err(HistoryError::Several { names: names() });
            }
            notes.push(format!(
                "{} unrelated databases have this name; the one with the newest backup was taken",
                found.len()
            ));
        }
        Ok((newest, notes))
    }
}

fn databases(sets: Vec<Set>) -> Vec<Database> {
    let catalog = Catalog::new(sets.iter().map(|set| set.point.clone()));
    let mut databases: Vec<_> = catalog
        .into_chains()
        .into_iter()
        .map(|chain| Database {
            chain,
            files: HashMap::new(),
            unnamed: Vec::new(),
        })
        .collect();
    for set in sets {
        let id = set.point.id;
        let mut owners = databases.iter_mut();
        let Some(database) = owners.find(|database| database.chain.point(id).is_some()) else {
            continue;
        };
        database.files.insert(id, set.files);
        if !set.named {
            database.unnamed.push(id);
        }
    }
    databases
}

impl Database {
    /// The files of a set, one per stripe; empty where no row names one.
    pub(crate) fn files(&self, point: PointId) -> &[File] {
        self.files.get(&point).map_or(&[], Vec::as_slice)
    }

    /// `backup_set_id`, where the rows have it.
    pub(crate) fn set_id(&self, point: PointId) -> Option<PointId> {
        (!self.unnamed.contains(&point)).then_some(point)
    }

    /// A note in words.
    #[expect(clippy::unused_self, reason = "notes may come to name files")]
    pub(crate) fn explain(&self, note: &Note) -> String {
        note.to_string()
    }
}
