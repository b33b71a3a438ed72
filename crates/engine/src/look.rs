//! A look at a backup by the engine that would restore it.

use vab_vdi::{DeviceName, Geometry};

use crate::cancel::Cancel;
use crate::request::ProgressSink;

/// What to look at in a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Look {
    /// The facts of its sets (`RESTORE HEADERONLY`).
    Header,
    /// The files of the database (`RESTORE FILELISTONLY`).
    Files,
    /// The label of the media (`RESTORE LABELONLY`).
    Label,
    /// Everything, to see that it can be read (`RESTORE VERIFYONLY`). Nothing is restored.
    Verify,
}

/// A look at one backup set. Set the public fields after [`LookRequest::new`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LookRequest {
    /// What to look at.
    pub look: Look,
    /// The devices of the set, one for each stripe, 1 to 64. The first name is the set's name.
    pub devices: Vec<DeviceName>,
    /// Sizes of the device set.
    pub geometry: Geometry,
    /// Refuse a set whose pages have no checksums (`CHECKSUM`). Not of labels.
    pub checksum: bool,
    /// Is told how far the engine is.
    pub progress: ProgressSink,
    /// Ends the operation.
    pub cancel: Cancel,
}

impl LookRequest {
    /// A look at the set in these devices.
    pub fn new(look: Look, devices: Vec<DeviceName>) -> Self {
        Self {
            look,
            devices,
            geometry: Geometry::default(),
            checksum: false,
            progress: ProgressSink::default(),
            cancel: Cancel::new(),
        }
    }
}

/// What an engine sees in a backup: a table, as it answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Looked {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows, each with a value for every column; `None` where the engine knows none.
    pub rows: Vec<Vec<Option<String>>>,
}

impl Looked {
    /// A table.
    pub fn new(columns: Vec<String>, rows: Vec<Vec<Option<String>>>) -> Self {
        Self { columns, rows }
    }
}
