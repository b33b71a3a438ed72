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
    /// Whether it was met in a folder, not named itself.
    pub(super) in_folder: bool,
}

/// All files, each once, however often and under how many links it was named.
#[derive(Default)]
pub(super) struct Files {
    pub(super) candidates: Vec<Candidate>,
    pub(super) problems: Vec<Problem>,
    /// The folders that were named, each once.
    pub(super) folders: Vec<PathBuf>,
    seen: HashSet<PathBuf>,
}

impl Files {
    /// Adds what a user named.
    pub(super) fn add(&mut self, path: &Path) {
        match fs::metadata(path) {
            Ok(kind) if kind.is_file() => self.add_file(path, false),
            Ok(kind) if kind.is_dir() => {
                if self.add_folder(path, 0) {
                    self.folders.push(path.to_owned());
                }
            }
            Ok(_) => self.problems.push(Problem::NotAFile {
                path: path.to_owned(),
            }),
            Err(error) => self.unreadable(path, error),
        }
    }

    fn add_file(&mut self, path: &Path, in_folder: bool) {
        if self.is_new(path) {
            self.candidates.push(Candidate {
                path: path.to_owned(),
                in_folder,
            });
        }
    }

    /// Whether the folder was not looked at before, and can be.
    fn add_folder(&mut self, path: &Path, depth: usize) -> bool {
        if depth > MAX_DEPTH || !self.is_new(path) {
            return false;
        }
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) => {
                self.unreadable(path, error);
                return false;
            }
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
                Ok(kind) if kind.is_file() => self.add_file(&path, true),
                Ok(kind) if kind.is_dir() => {
                    self.add_folder(&path, depth + 1);
                }
                // A pipe or a socket is no backup file; a link that leads nowhere is none either.
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => self.unreadable(&path, error),
            }
        }
        true
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
