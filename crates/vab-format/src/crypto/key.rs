//! Keys and the secrets that guard them.

use std::fmt;

use aws_lc_rs::rand;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::CryptoError;

/// The data key of a file. It is wiped from memory when it is dropped, and never printed.
#[derive(Clone)]
pub struct DataKey {
    id: Uuid,
    bytes: Zeroizing<[u8; 32]>,
}

impl DataKey {
    /// A new random key.
    ///
    /// # Errors
    /// When the operating system gives no random numbers.
    pub fn random() -> Result<Self, CryptoError> {
        let mut bytes = Zeroizing::new([0; 32]);
        fill(bytes.as_mut_slice())?;
        Ok(Self {
            id: uuid::Builder::from_random_bytes(random()?).into_uuid(),
            bytes,
        })
    }

    pub(super) const fn from_parts(id: Uuid, bytes: Zeroizing<[u8; 32]>) -> Self {
        Self { id, bytes }
    }

    /// The identity of the key; not secret.
    pub const fn id(&self) -> Uuid {
        self.id
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What opens a key slot. It is wiped from memory when it is dropped, and never printed.
#[derive(Clone)]
pub struct Secret(pub(super) SecretKind);

#[derive(Clone)]
pub(super) enum SecretKind {
    Key(Zeroizing<[u8; 32]>),
    Passphrase(Zeroizing<String>),
}

impl Secret {
    /// A key of 32 random bytes, kept somewhere safe.
    pub fn key(bytes: [u8; 32]) -> Self {
        Self(SecretKind::Key(Zeroizing::new(bytes)))
    }

    /// A passphrase.
    pub fn passphrase(text: impl Into<String>) -> Self {
        Self(SecretKind::Passphrase(Zeroizing::new(text.into())))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            SecretKind::Key(_) => "Secret::key(..)",
            SecretKind::Passphrase(_) => "Secret::passphrase(..)",
        })
    }
}

fn fill(bytes: &mut [u8]) -> Result<(), CryptoError> {
    rand::fill(bytes).map_err(|_| CryptoError::NoRandomness)
}

/// Fills `key` with random bytes, for a new key file.
///
/// # Errors
/// When the operating system gives no random numbers.
pub fn random_key(key: &mut [u8; 32]) -> Result<(), CryptoError> {
    fill(key)
}

pub(super) fn random<const N: usize>() -> Result<[u8; N], CryptoError> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_printed() {
        let key = DataKey::random().unwrap();
        let due = format!("DataKey {{ id: {}, .. }}", key.id());
        assert_eq!(format!("{key:?}"), due);
        let secret = Secret::passphrase("correct horse");
        assert_eq!(format!("{secret:?}"), "Secret::passphrase(..)");
        assert_eq!(format!("{:?}", Secret::key([1; 32])), "Secret::key(..)");
    }

    #[test]
    fn two_keys_are_two() {
        let (one, two) = (DataKey::random().unwrap(), DataKey::random().unwrap());
        assert_ne!(one.bytes(), two.bytes());
        assert_ne!(one.id(), two.id());
    }
}
