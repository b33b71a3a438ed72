//! Which databases an instance has, and in which folder each of them is.

use std::fs;
use std::io;
use std::path::Path;

use crate::sim::volume::replace_file;

const FILE: &str = "instance.json";

#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Registry {
    /// Folders are never used again for another database.
    pub(crate) next: u64,
    pub(crate) folders: Vec<String>,
}

impl Registry {
    /// Whether a folder is that of an instance.
    pub(crate) fn exists(folder: &Path) -> bool {
        folder.join(FILE).exists()
    }

    pub(crate) fn load(folder: &Path) -> io::Result<Self> {
        let bytes = fs::read(folder.join(FILE))?;
        serde_json::from_slice(&bytes).map_err(io::Error::other)
    }

    pub(crate) fn save(&self, folder: &Path) -> io::Result<()> {
        let bytes = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        replace_file(folder, FILE, &bytes)
    }

    /// A name for the folder of a new database.
    pub(crate) fn new_folder(&mut self) -> String {
        self.next += 1;
        format!("db-{:06}", self.next)
    }

    /// Removes folders that no database is in: a restore or a drop that a crash cut short.
    pub(crate) fn clean(&self, folder: &Path) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| name.starts_with("db-")) else {
                continue;
            };
            if !self.folders.iter().any(|folder| folder == name) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }
}
