//! Where a file is inside a repository.

use std::fmt;

use crate::names::DiskName;

/// A file in the root or in one of the folders of a repository. It cannot point outside.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoragePath {
    folder: Option<DiskName>,
    file: DiskName,
}

impl StoragePath {
    /// A file in the root.
    pub fn in_root(file: DiskName) -> Self {
        Self { folder: None, file }
    }

    /// A file in a folder.
    pub fn in_folder(folder: DiskName, file: DiskName) -> Self {
        Self {
            folder: Some(folder),
            file,
        }
    }

    /// The folder; `None` for the root.
    pub fn folder(&self) -> Option<&DiskName> {
        self.folder.as_ref()
    }

    /// The file's name in its folder.
    pub fn file(&self) -> &DiskName {
        &self.file
    }

    /// The same base name with another extension.
    pub(crate) fn sibling(&self, extension: &str) -> Self {
        let (base, _) = self.file.split_extension();
        let base = DiskName::from_disk(base).unwrap_or_else(|| self.file.clone());
        Self {
            folder: self.folder.clone(),
            file: base.with_extension(extension),
        }
    }

    /// A file in the same folder.
    pub(crate) fn beside(&self, file: DiskName) -> Self {
        Self {
            folder: self.folder.clone(),
            file,
        }
    }

    /// The same file with an extension added.
    pub(crate) fn extended(&self, extension: &str) -> Self {
        Self {
            folder: self.folder.clone(),
            file: self.file.with_extension(extension),
        }
    }
}

impl fmt::Display for StoragePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.folder {
            Some(folder) => write!(f, "{folder}/{}", self.file),
            None => self.file.fmt(f),
        }
    }
}

impl fmt::Debug for StoragePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}
