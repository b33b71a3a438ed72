//! Finds files: those that are named, and those in folders that are named.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::Problem;

/// Folders in folders are followed this deep.
const MAX_DEPTH: usize = 64;

/// A file to look at.
pub(super) struct Candidate {
    pub(super) path: PathBuf,
    /// The folder that was named; `None` when the file itself was.
    pub(super) folder: Option<PathBuf>,
}

/// All files, each once, however often and under how many links it was named.
#[derive(Default)]
pub(super) struct Files {
    pub(super) candidates: Vec<Candidate>,
    pub(super) problems: Vec<Problem>,
    seen: HashSet<PathBuf>,
}

impl Files {
    /// Adds what a user named.
    pub(super) fn add(&mut self, path: &Path) {
        match fs::metadata(path) {
            Ok(kind) if kind.is_file() => self.add_file(path, None),
            Ok(kind) if kind.is_dir() => self.add_folder(path, path, 0),
            Ok(_) => self.problems.push(Problem::NotAFile {
                path: path.to_owned(),
            }),
            Err(error) => self.unreadable(path, error),
        }
    }

    fn add_file(&mut self, path: &Path, folder: Option<&Path>) {
        if self.is_new(path) {
            self.candidates.push(Candidate {
                path: path.to_owned(),
                folder: folder.map(Path::to_owned),
            });
        }
    }

    fn add_folder(&mut self, path: &Path, named: &Path, depth: usize) {
        if depth > MAX_DEPTH || !self.is_new(path) {
            return;
        }
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) => return self.unreadable(path, error),
        };
        let mut paths = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) => paths.push(entry.path()),
                Err(error) => self.unreadable(path, error),
            }
        }
        paths.sort();
        for path in paths {
            match fs::metadata(&path) {
                Ok(kind) if kind.is_file() => self.add_file(&path, Some(named)),
                Ok(kind) if kind.is_dir() => self.add_folder(&path, named, depth + 1),
                // A pipe or a socket is no backup file; a link that leads nowhere is none either.
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => self.unreadable(&path, error),
            }
        }
    }

    fn is_new(&mut self, path: &Path) -> bool {
        let whole = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        self.seen.insert(whole)
    }

    fn unreadable(&mut self, path: &Path, error: std::io::Error) {
        self.problems.push(Problem::Unreadable {
            path: path.to_owned(),
            error,
        });
    }
}
