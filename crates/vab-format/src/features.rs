//! Feature flags: what a file has beyond its format version.

use binrw::binrw;

use crate::error::{DecodeError, Part};

/// The three classes of feature flags of a file. A bit that is not known to a program means
/// another thing in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Features {
    /// A program that does not know such a bit may read and write the file.
    pub compatible: u64,
    /// A program that does not know such a bit may read the file, but must not write to it.
    pub read_only_compatible: u64,
    /// A program that does not know such a bit must not even read the file.
    pub incompatible: u64,
}

impl Features {
    /// No features.
    pub const NONE: Self = Self {
        compatible: 0,
        read_only_compatible: 0,
        incompatible: 0,
    };

    /// Incompatible: payloads of blocks are encrypted, and key slots stand behind the header.
    pub const ENCRYPTED: u64 = 1;

    const KNOWN_INCOMPATIBLE: u64 = Self::ENCRYPTED;
    const KNOWN_READ_ONLY: u64 = 0;

    /// Whether payloads are encrypted.
    pub const fn is_encrypted(self) -> bool {
        self.incompatible & Self::ENCRYPTED != 0
    }

    /// Checks that this program may read the file.
    ///
    /// # Errors
    /// [`DecodeError::UnknownFeatures`] for an unknown incompatible flag.
    pub const fn check_readable(self, part: Part) -> Result<(), DecodeError> {
        match self.incompatible & !Self::KNOWN_INCOMPATIBLE {
            0 => Ok(()),
            unknown => Err(DecodeError::UnknownFeatures { part, unknown }),
        }
    }

    /// Checks that this program may write to the file too.
    ///
    /// # Errors
    /// [`DecodeError::UnknownFeatures`] for an unknown incompatible flag,
    /// [`DecodeError::ReadOnlyFeatures`] for an unknown read-only compatible one.
    pub fn check_writable(self, part: Part) -> Result<(), DecodeError> {
        self.check_readable(part)?;
        match self.read_only_compatible & !Self::KNOWN_READ_ONLY {
            0 => Ok(()),
            unknown => Err(DecodeError::ReadOnlyFeatures { part, unknown }),
        }
    }
}

/// The feature flags as they lie in the files.
#[binrw]
#[brw(little)]
#[derive(Clone, Copy)]
pub(crate) struct StoredFeatures {
    compatible: u64,
    read_only_compatible: u64,
    incompatible: u64,
}

impl From<Features> for StoredFeatures {
    fn from(features: Features) -> Self {
        Self {
            compatible: features.compatible,
            read_only_compatible: features.read_only_compatible,
            incompatible: features.incompatible,
        }
    }
}

impl From<StoredFeatures> for Features {
    fn from(stored: StoredFeatures) -> Self {
        Self {
            compatible: stored.compatible,
            read_only_compatible: stored.read_only_compatible,
            incompatible: stored.incompatible,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: Part = Part::VabHeader;

    #[test]
    fn an_unknown_incompatible_flag_is_refused() {
        let features = Features {
            incompatible: 1 << 63 | Features::ENCRYPTED,
            ..Features::NONE
        };
        assert_eq!(
            features.check_readable(PART),
            Err(DecodeError::UnknownFeatures {
                part: PART,
                unknown: 1 << 63
            })
        );
    }

    #[test]
    fn an_unknown_read_only_flag_may_be_read_but_not_written() {
        let features = Features {
            read_only_compatible: 2,
            ..Features::NONE
        };
        assert_eq!(features.check_readable(PART), Ok(()));
        assert_eq!(
            features.check_writable(PART),
            Err(DecodeError::ReadOnlyFeatures {
                part: PART,
                unknown: 2
            })
        );
    }

    #[test]
    fn an_unknown_compatible_flag_is_no_hindrance() {
        let features = Features {
            compatible: u64::MAX,
            ..Features::NONE
        };
        assert_eq!(features.check_writable(PART), Ok(()));
    }
}
