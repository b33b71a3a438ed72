use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;
use vab_format::block::BlockHeader;
use vab_format::codec::Decoder;
use vab_format::crypto::{CryptoError, DataKey, Secret, SessionSealer, StreamSealer, unlock, wrap};
use vab_format::stream::StreamEnd;
use vab_format::vab::KeyArea;

use super::{KeyError, describe};

/// Opened files that are remembered, so that a passphrase is not stretched for each restore point.
const REMEMBERED: usize = 16;

/// Keys and passphrases that may open what is encrypted. A clone is the same set. They are wiped
/// from memory with the last clone, and never printed.
#[derive(Clone, Default)]
pub struct Secrets {
    secrets: Arc<Vec<Secret>>,
    opened: Arc<Mutex<Vec<(KeyArea, DataKey)>>>,
}

impl Secrets {
    /// A set of these; each is tried.
    pub fn new(secrets: impl IntoIterator<Item = Secret>) -> Self {
        Self {
            secrets: Arc::new(secrets.into_iter().collect()),
            opened: Arc::default(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }

    /// Opens what is to be restored. Takes a while with a passphrase.
    ///
    /// # Errors
    /// [`KeyError::Missing`], [`KeyError::Wrong`].
    pub(in crate::source) fn open(&self, area: &KeyArea) -> Result<Opening, KeyError> {
        if self.is_empty() {
            return Err(KeyError::Missing {
                slots: describe(area),
            });
        }
        let key = self.data_key(area)?.ok_or_else(|| KeyError::Wrong {
            slots: describe(area),
        })?;
        Ok(Opening(key))
    }

    fn data_key(&self, area: &KeyArea) -> Result<Option<DataKey>, KeyError> {
        let opened = || self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let known = opened()
            .iter()
            .find(|(known, _)| known == area)
            .map(|(_, key)| key.clone());
        if known.is_some() {
            return Ok(known);
        }
        for secret in self.secrets.iter() {
            match unlock(area, secret) {
                Ok(key) => {
                    let mut opened = opened();
                    opened.truncate(REMEMBERED - 1);
                    opened.insert(0, (area.clone(), key.clone()));
                    return Ok(Some(key));
                }
                Err(CryptoError::WrongSecret { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }
}

impl FromIterator<Secret> for Secrets {
    fn from_iter<I: IntoIterator<Item = Secret>>(secrets: I) -> Self {
        Self::new(secrets)
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Secrets").field(&self.secrets).finish()
    }
}

/// With what a backup is encrypted. A new file gets a random data key, wrapped for each of the
/// secrets, so that any one of them opens it.
#[derive(Clone)]
pub struct Encryption {
    labels: Arc<Vec<String>>,
    secrets: Secrets,
    /// Slots that were offered and not needed, for the next backup.
    spare: Arc<Mutex<Option<Proposal>>>,
}

impl Encryption {
    /// Encryption for 1 to 8 secrets, each with a label for people, at most 64 bytes, which is
    /// stored in plain.
    ///
    /// # Errors
    /// [`KeyError::Count`].
    pub fn new(secrets: impl IntoIterator<Item = (Secret, String)>) -> Result<Self, KeyError> {
        let (secrets, labels): (Vec<_>, Vec<_>) = secrets.into_iter().unzip();
        if secrets.is_empty() || secrets.len() > KeyArea::SLOTS {
            return Err(KeyError::Count);
        }
        Ok(Self {
            labels: Arc::new(labels),
            secrets: Secrets::new(secrets),
            spare: Arc::default(),
        })
    }

    /// The secrets, to read with.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Key slots for a new file. Takes a while with a passphrase.
    pub(in crate::source) fn propose(&self) -> Result<Proposal, KeyError> {
        let spare = self
            .spare
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(spare) = spare {
            return Ok(spare);
        }
        let key = DataKey::random()?;
        let slots: Result<Vec<_>, _> = self
            .secrets
            .secrets
            .iter()
            .zip(self.labels.iter())
            .map(|(secret, label)| wrap(&key, secret, label.as_str()))
            .collect();
        Ok(Proposal {
            key,
            area: KeyArea::of(slots?),
        })
    }

    /// Slots that were not needed are good for the next backup.
    pub(in crate::source) fn keep(&self, proposal: Proposal) {
        *self.spare.lock().unwrap_or_else(PoisonError::into_inner) = Some(proposal);
    }

    /// Begins to encrypt a session with the slots in force: those offered, or those of the file
    /// that is there. Takes a while with a passphrase.
    ///
    /// # Errors
    /// [`KeyError::InForce`] if the file that is there does not open.
    pub(in crate::source) fn begin(
        &self,
        proposal: Proposal,
        in_force: &KeyArea,
        session: Uuid,
    ) -> Result<Sealing, KeyError> {
        let key = if proposal.area == *in_force {
            proposal.key
        } else {
            self.keep(proposal);
            self.secrets
                .data_key(in_force)?
                .ok_or_else(|| KeyError::InForce {
                    slots: describe(in_force),
                })?
        };
        Ok(Sealing(SessionSealer::new(&key, session)?))
    }
}

impl fmt::Debug for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encryption")
            .field("labels", &self.labels)
            .finish_non_exhaustive()
    }
}

/// Key slots for a new file, and the data key in them.
pub(in crate::source) struct Proposal {
    key: DataKey,
    area: KeyArea,
}

impl Proposal {
    pub(in crate::source) fn pack(&self) -> Result<Vec<u8>, KeyError> {
        self.area.pack().map_err(|error| KeyError::Failed {
            cause: error.to_string(),
        })
    }
}

/// Encrypts a session.
#[derive(Debug)]
pub(in crate::source) struct Sealing(SessionSealer);

impl Sealing {
    pub(in crate::source) fn stream(&mut self, stream: u16) -> Result<Sealer, KeyError> {
        Ok(Sealer(self.0.stream(stream)?))
    }
}

/// Encrypts a stream.
#[derive(Debug)]
pub(in crate::source) struct Sealer(StreamSealer);

impl Sealer {
    pub(in crate::source) fn seal(
        &mut self,
        header: &BlockHeader,
        place: &mut [u8],
    ) -> Result<BlockHeader, KeyError> {
        Ok(self.0.seal_in_place(header, place)?)
    }

    pub(in crate::source) const fn end(&self, end: StreamEnd) -> StreamEnd {
        self.0.end(end)
    }
}

#[cfg(test)]
impl From<StreamSealer> for Sealer {
    fn from(sealer: StreamSealer) -> Self {
        Self(sealer)
    }
}

/// Decrypts a session.
#[derive(Clone, Debug)]
pub(in crate::source) struct Opening(DataKey);

impl Opening {
    pub(in crate::source) fn decoder(&self) -> Decoder {
        Decoder::with_key(self.0.clone())
    }

    /// The checksum of the raw bytes of a stream whose last block `decoder` has decoded.
    pub(in crate::source) fn crc(
        decoder: &Decoder,
        session: Uuid,
        stored: StreamEnd,
    ) -> Option<u32> {
        decoder.end(session, stored).map(|end| end.crc)
    }
}

impl From<CryptoError> for KeyError {
    fn from(error: CryptoError) -> Self {
        Self::Failed {
            cause: error.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encryption(key: u8) -> Encryption {
        Encryption::new([(Secret::key([key; 32]), format!("key {key}"))]).unwrap()
    }

    #[test]
    fn the_slots_offered_open_without_the_secret_being_tried() {
        let encryption = encryption(1);
        let proposal = encryption.propose().unwrap();
        let area = KeyArea::unpack(&proposal.pack().unwrap()).unwrap();
        encryption
            .begin(proposal, &area, Uuid::from_u128(1))
            .unwrap();
        assert!(encryption.secrets.opened.lock().unwrap().is_empty());
    }

    #[test]
    fn a_file_that_is_there_keeps_its_key_and_the_offer_waits() {
        let encryption = encryption(1);
        let there = encryption.propose().unwrap().area;
        let offer = encryption.propose().unwrap();
        let offered = offer.area.clone();
        assert_ne!(there, offered);
        encryption.begin(offer, &there, Uuid::from_u128(1)).unwrap();
        assert_eq!(encryption.propose().unwrap().area, offered);
    }

    #[test]
    fn a_file_of_others_is_refused_by_name() {
        let there = encryption(2).propose().unwrap().area;
        let mine = encryption(1);
        let error = mine
            .begin(mine.propose().unwrap(), &there, Uuid::from_u128(1))
            .unwrap_err();
        let slots = "slot 0: key `key 2`".to_owned();
        assert_eq!(error, KeyError::InForce { slots });
    }

    #[test]
    fn a_restore_says_whether_the_secret_is_missing_or_wrong() {
        let area = encryption(2).propose().unwrap().area;
        let missing = Secrets::default().open(&area).unwrap_err();
        assert!(matches!(missing, KeyError::Missing { .. }));
        let wrong = Secrets::new([Secret::key([1; 32])]).open(&area);
        assert!(matches!(wrong, Err(KeyError::Wrong { .. })));
        Secrets::new([Secret::key([1; 32]), Secret::key([2; 32])])
            .open(&area)
            .unwrap();
    }

    #[test]
    fn nothing_secret_is_printed() {
        let encryption = encryption(0xAB);
        let text = format!("{encryption:?} {:?}", encryption.secrets());
        assert!(text.contains("key 171") && text.contains("Secret::key(..)"));
        assert!(
            !text.contains("171, 171") && !text.contains("abab"),
            "{text}"
        );
    }
}
