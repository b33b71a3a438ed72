//! Finds the media sets among files and folders.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::path::Path;

use super::files::{Candidate, Files};
use super::group::{Group, GroupKey};
use super::{MediaSet, Note, Problem, Stripe};
use crate::mtf::{self, MtfError, ReadError};

/// What was found.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Discovered {
    /// The whole media sets, in the order in which they can be taken in one after the other: per
    /// server and database by the end of their log, then by the time they finished, fulls before
    /// differentials before logs. Those whose facts are not known come last, by path.
    pub sets: Vec<MediaSet>,
    /// What cannot be used, and why.
    pub problems: Vec<Problem>,
    /// What is worth knowing.
    pub notes: Vec<Note>,
}

/// Reads the headers of all files that are named, and of all files in folders that are named and
/// in their folders, and puts together the stripes of each media set.
///
/// One bad file hides no other: what cannot be used is in [`Discovered::problems`]. A file that is
/// no backup is a problem when it was named itself, and a note when it was only met in a folder.
pub fn discover<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Discovered {
    let mut files = Files::default();
    for path in paths {
        files.add(path.as_ref());
    }
    let mut found = Finding::default();
    found.result.problems = files.problems;
    let mut with_backups: HashSet<&Path> = HashSet::new();
    for candidate in &files.candidates {
        if found.look_at(candidate) {
            with_backups.extend(candidate.path.ancestors());
        }
    }
    for path in files.folders {
        if !with_backups.contains(path.as_path()) {
            found.result.problems.push(Problem::NoBackups { path });
        }
    }
    found.finish()
}

#[derive(Default)]
struct Finding {
    result: Discovered,
    groups: BTreeMap<GroupKey, Group>,
    compressed: Vec<Stripe>,
}

impl Finding {
    /// Whether the file is a backup, good or bad.
    fn look_at(&mut self, candidate: &Candidate) -> bool {
        let path = candidate.path.clone();
        let read = File::open(&path)
            .map_err(|source| ReadError::Io { offset: 0, source })
            .and_then(|mut file| mtf::read(&mut file));
        match read {
            Ok(medium) => self.sort_in(Stripe::new(path, medium)),
            Err(ReadError::Format(MtfError::NotABackup { found }))
                if candidate.in_folder && !found.is_empty() =>
            {
                self.result.notes.push(Note::NotABackup { path });
                return false;
            }
            Err(ReadError::Format(error)) => {
                self.result.problems.push(Problem::Format { path, error });
            }
            Err(ReadError::Io { source, .. }) => {
                let error = source;
                self.result
                    .problems
                    .push(Problem::Unreadable { path, error });
            }
        }
        true
    }

    fn sort_in(&mut self, stripe: Stripe) {
        let path = stripe.path.clone();
        let notes = &mut self.result.notes;
        let Some(medium) = stripe.medium.native().cloned() else {
            notes.push(Note::Compressed { path });
            self.compressed.push(stripe);
            return;
        };
        if medium.trailing > 0 {
            notes.push(Note::TrailingBytes {
                path: path.clone(),
                bytes: medium.trailing,
            });
        }
        if medium.sets.len() > 1 {
            notes.push(Note::SeveralSets {
                path,
                count: medium.sets.len(),
            });
        }
        // A whole medium has a set at least.
        if let Some(set) = medium.sets.first() {
            let key = GroupKey::new(medium.family, set);
            let group = self.groups.entry(key);
            let group = group.or_insert_with(|| Group::new(key, set.clone()));
            group.add(stripe, medium);
        }
    }

    fn finish(self) -> Discovered {
        let mut result = self.result;
        for group in self.groups.into_values() {
            match group.finish(&mut result.notes) {
                Ok(set) => result.sets.push(set),
                Err(problem) => result.problems.push(problem),
            }
        }
        result.sets.sort_by(|a, b| order(a).cmp(&order(b)));
        let compressed = self.compressed.into_iter().map(MediaSet::unknown);
        result.sets.extend(compressed);
        result
    }
}

fn order(set: &MediaSet) -> impl Ord {
    let known = set.facts().map(|set| {
        (
            set.server.clone(),
            set.database.clone(),
            set.last_lsn,
            set.finished,
            set.kind,
            // An empty log ends where the log before it does, often in the same second.
            set.first_lsn,
            set.id,
        )
    });
    (known, set.first_path().to_owned())
}
