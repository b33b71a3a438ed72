use vab_format::codec::Compression;

use super::keys::Encryption;

/// What is done to the blocks of a backup at the source. Nothing, by default.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Encoding {
    /// How they are compressed.
    pub compression: Compression,
    /// With what they are encrypted, if they are.
    pub encryption: Option<Encryption>,
}

impl Encoding {
    /// Compression only.
    pub const fn compressed(compression: Compression) -> Self {
        Self {
            compression,
            encryption: None,
        }
    }

    /// The same, encrypted.
    #[must_use]
    pub fn encrypted(mut self, encryption: Encryption) -> Self {
        self.encryption = Some(encryption);
        self
    }

    /// Whether blocks stay as the engine wrote them.
    pub(super) const fn is_plain(&self) -> bool {
        matches!(self.compression, Compression::None) && self.encryption.is_none()
    }
}
