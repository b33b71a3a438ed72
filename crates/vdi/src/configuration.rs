//! What both sides agreed on.

use crate::code::Features;
use crate::geometry::Geometry;

/// The way the data goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the engine to the client.
    Backup,
    /// From the client to the engine.
    Restore,
}

/// What a set is configured to, after the engine came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Configuration {
    /// Block size and greatest transfer.
    pub geometry: Geometry,
    /// The way the data goes.
    pub direction: Direction,
    /// Whether the engine ends every device with a `Complete` command.
    ///
    /// If it does, that command is the one true end: finish everything before completing it.
    /// If not, everything has to be durable at every `Flush`.
    pub complete_enabled: bool,
    /// The features as the engine answered them.
    pub features: Features,
    /// The most commands that are outstanding on one device.
    pub depth: u32,
    /// Bytes of all buffers of the set together; 0 when the back end does not know.
    pub buffer_area: u64,
}
