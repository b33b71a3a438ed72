//! Saves what is whole in a damaged file.

use std::path::Path;

use vab_repository::salvage::{SalvageError, SalvageReport};

use crate::clock::{Clock, SystemClock};

/// Saves the restore points that are whole in the `.VAB` at `file` into a new repository in the
/// folder `to`. The damaged file is only read.
///
/// # Errors
/// When the file is no `.VAB` or cannot be read, or the folder is not empty or cannot be written.
/// That restore points are lost is no error.
pub fn salvage(file: &Path, to: &Path) -> Result<SalvageReport, SalvageError> {
    vab_repository::salvage::salvage(file, to, SystemClock.now())
}
