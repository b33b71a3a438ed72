//! The files of the backed-up database (`SFIN` records).

use super::MtfError;
use super::fields::Fields;

/// A file of the database, as `RESTORE FILELISTONLY` lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DataFile {
    /// `FileId` (*likely*).
    pub id: u16,
    /// `FileGroupId` (*likely*): 0 for a log file.
    pub group: u16,
    /// `Size` in bytes (*likely*).
    pub size: u64,
    /// `LogicalName`.
    pub logical_name: String,
    /// `PhysicalName`: the path on the server.
    pub physical_name: String,
}

impl DataFile {
    pub(super) fn decode(fields: Fields<'_>) -> Result<Self, MtfError> {
        Ok(Self {
            id: fields.u16("a file's id", 20)?,
            group: fields.u16("a file's group", 36)?,
            size: fields.u64("a file's size", 40)?,
            logical_name: fields.text("a file's logical name", 48)?,
            physical_name: fields.text("a file's physical name", 52)?,
        })
    }
}
