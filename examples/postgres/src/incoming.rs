//! The state of a cluster between the steps of its restore.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use vab_chain::{BackupSetId, ForkId};

use crate::error::PostgresError;

/// Where a cluster keeps the WAL that it will recover from, and how far that goes.
#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    folder: PathBuf,
}

/// How far a restore has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    pub(crate) system: u64,
    /// The timeline to recover along.
    pub(crate) timeline: u32,
    /// The fork that the next log has to go on from.
    pub(crate) fork: ForkId,
    /// The timeline of that fork.
    pub(crate) at: u32,
    /// The position that the next log has to cover.
    pub(crate) redo: u64,
    /// The last set.
    pub(crate) set: BackupSetId,
}

impl Incoming {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The WAL of all logs so far.
    pub(crate) fn wal(&self) -> PathBuf {
        self.folder.join("wal")
    }

    /// Where the log of one step is unpacked.
    pub(crate) fn step(&self) -> PathBuf {
        self.folder.join("step")
    }

    /// How far the restore is; `None` when none is under way.
    pub(crate) fn standing(&self) -> Result<Option<Standing>, PostgresError> {
        let path = self.state();
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(&path).map_err(PostgresError::io("read", &path))?;
        let standing = serde_json::from_str(&text);
        standing
            .map(Some)
            .map_err(|error| PostgresError::State { path, error })
    }

    pub(crate) fn stand(&self, standing: &Standing) -> Result<(), PostgresError> {
        let path = self.state();
        let text = serde_json::to_string(standing).map_err(|error| PostgresError::State {
            path: path.clone(),
            error,
        })?;
        let new = self.folder.join("state.new");
        fs::write(&new, text).map_err(PostgresError::io("written", &new))?;
        fs::rename(&new, &path).map_err(PostgresError::io("replaced", &path))
    }

    fn state(&self) -> PathBuf {
        self.folder.join("state.json")
    }
}
