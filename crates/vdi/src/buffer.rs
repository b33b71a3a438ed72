//! The memory of one command.

/// The memory of one command, owned by whoever may touch it.
///
/// A buffer moves with its command from side to side, so the side that gave it away cannot reach
/// it any more.
#[derive(Debug, Default)]
pub(crate) enum Buffer {
    /// The command has no memory.
    #[default]
    None,
    /// Memory of this process.
    Owned(Vec<u8>),
    /// Memory that the server lends.
    #[cfg(any(target_os = "linux", windows))]
    Mapped(crate::native::Zone),
}

impl Buffer {
    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::None => &[],
            Self::Owned(bytes) => bytes,
            #[cfg(any(target_os = "linux", windows))]
            Self::Mapped(zone) => zone.bytes(),
        }
    }

    /// The bytes, to be written.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::None => &mut [],
            Self::Owned(bytes) => bytes,
            #[cfg(any(target_os = "linux", windows))]
            Self::Mapped(zone) => zone.bytes_mut(),
        }
    }
}
