//! Where the files of a restored database go.

use crate::request::FileMove;

/// Where files of a restored database go, as far as somebody has said it; the engine puts the others
/// where it sees fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Placement {
    /// Files by their logical names.
    pub moves: Vec<FileMove>,
    /// The folder on the server for every other data file.
    pub data_folder: Option<String>,
    /// The folder on the server for every other log file.
    pub log_folder: Option<String>,
}

impl Placement {
    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
