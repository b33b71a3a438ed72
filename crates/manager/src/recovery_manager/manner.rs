//! How the engine is to make or read its streams.

use vab_vdi::Geometry;

/// How the engine is to make or read its streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Manner {
    /// Block size and greatest transfer of the device sets. A restore needs the block size of the
    /// backup.
    pub geometry: Geometry,
    /// What becomes of page checksums.
    pub checksums: Checksums,
    /// Go on when a page is damaged.
    pub continue_after_error: bool,
}

/// What becomes of page checksums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checksums {
    /// A backup verifies the checksums of the pages that it reads, and puts its own into the
    /// stream; a restore verifies what is there.
    #[default]
    Usual,
    /// A backup neither verifies nor adds any.
    Off,
    /// A restore refuses a set that has none.
    Demanded,
}
