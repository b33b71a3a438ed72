//! What an independent reader found in the headers of the backups (`manifest.csv`).

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// One backup file and its columns.
pub(crate) struct Entry {
    pub(crate) path: PathBuf,
    columns: HashMap<String, String>,
}

impl Entry {
    pub(crate) fn column(&self, name: &str) -> &str {
        self.columns.get(name).map(String::as_str).expect(name)
    }

    pub(crate) fn is_compressed(&self) -> bool {
        self.column("kind").starts_with("compressed")
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        fs::read(&self.path).expect("a file of the manifest")
    }
}

/// The folder of the backups; `None`, and words that say so, when it is not set.
pub(crate) fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("VAB_BAK_DIR").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: VAB_BAK_DIR is not set, so there are no real backups to read");
    }
    folder
}

/// All files of the manifest, at least one; empty only when there is no folder.
pub(crate) fn entries() -> Vec<Entry> {
    folder().map_or_else(Vec::new, |folder| read(&folder))
}

fn read(folder: &Path) -> Vec<Entry> {
    let text = fs::read_to_string(folder.join("manifest.csv")).expect("manifest.csv");
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().expect("a head line").split(',').collect();
    let entries: Vec<Entry> = lines
        .map(|line| {
            let columns: HashMap<String, String> = names
                .iter()
                .map(|name| (*name).to_owned())
                .zip(line.split(',').map(str::to_owned))
                .collect();
            Entry {
                path: folder.join(&columns["path"]),
                columns,
            }
        })
        .collect();
    assert!(!entries.is_empty(), "an empty manifest");
    entries
}
