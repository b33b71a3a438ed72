//! Restore points.

use crate::{BackupSet, PointId};

/// One backup set in a repository, whole and committed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RestorePoint {
    /// Its identity in the repository.
    pub id: PointId,
    /// What the engine said about it.
    pub set: BackupSet,
}
