//! The key slots of a `.VAB`: who can open it. Data is never rewritten.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use vab_format::crypto::{CryptoError, DataKey, Secret, unlock, wrap};
use vab_format::vab::{KeyArea, SlotKind, SlotPage, VabHeader};
use vab_format::{DecodeError, EncodeError};

/// Why the key slots of a file cannot be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeySlotsError {
    /// The file cannot be read or written.
    #[error("`{}` cannot be read or written", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no `.VAB`.
    #[error("`{}` is no .VAB file, or its header is damaged", .path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// It is not encrypted.
    #[error("`{}` is not encrypted: it has no key slots", .path.display())]
    NotEncrypted {
        /// The file.
        path: PathBuf,
    },
    /// No secret opens it.
    #[error(
        "`{}` does not open with the secrets that were given: name a key with --encryption-key-file, \
         or a passphrase with --passphrase-file or VAB_PASSPHRASE, that opens a slot that stays",
        .path.display()
    )]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// All slots are in use.
    #[error("all {} key slots are in use: remove one first", KeyArea::SLOTS)]
    Full,
    /// There is no such slot.
    #[error("slot {slot} is not in use; `vab key list` shows those that are")]
    NoSuchSlot {
        /// What was asked for.
        slot: usize,
    },
    /// The slot is the last one.
    #[error("slot {slot} is the only one: without it nobody could read the file any more")]
    Last {
        /// What was asked for.
        slot: usize,
    },
    /// The slot cannot be made.
    #[error("the key slot cannot be made")]
    Crypto(#[from] CryptoError),
    /// The slot cannot be written down.
    #[error("the key slot cannot be written down")]
    Encode(#[from] EncodeError),
    /// What was written is not there.
    #[error(
        "the slots of `{}` are not what was written: another program changes them too; look with \
         `vab key list`",
        .path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
    },
}

/// A key slot in use. Its JSON form is stable: fields are added, never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KeySlotInfo {
    /// Its number, 0 to 7.
    pub slot: usize,
    /// `key` or `passphrase`.
    pub kind: &'static str,
    /// What people called it; not secret.
    pub label: String,
    /// Whether both copies of the slot are whole and the same. Otherwise a crash came between, or
    /// a page is damaged; the next change repairs it.
    pub sound: bool,
}

/// The key slots of one file.
///
/// A change writes the first copy of a slot, makes it durable, and then writes the second: after
/// any crash the slot is either as it was or as it should be, and no other slot is touched. A
/// server may run on the repository meanwhile.
#[derive(Debug)]
pub struct KeySlots {
    path: PathBuf,
    area: KeyArea,
    unsound: Vec<usize>,
}

impl KeySlots {
    /// Reads the slots of a `.VAB`.
    ///
    /// # Errors
    /// When it cannot be read, or is not encrypted.
    pub fn open(path: &Path) -> Result<Self, KeySlotsError> {
        let io = |source| KeySlotsError::Io {
            path: path.to_owned(),
            source,
        };
        let mut file = File::open(path).map_err(io)?;
        let mut page = Vec::with_capacity(VabHeader::LENGTH);
        let header_length = u64::try_from(VabHeader::LENGTH).unwrap_or(u64::MAX);
        (&mut file)
            .take(header_length)
            .read_to_end(&mut page)
            .map_err(io)?;
        let header = |source| KeySlotsError::Header {
            path: path.to_owned(),
            source,
        };
        if !VabHeader::decode(&page)
            .map_err(header)?
            .features
            .is_encrypted()
        {
            return Err(KeySlotsError::NotEncrypted {
                path: path.to_owned(),
            });
        }
        let bytes = read_area(&mut file).map_err(io)?;
        Ok(Self {
            path: path.to_owned(),
            area: KeyArea::decode(&bytes).map_err(header)?,
            unsound: KeyArea::unsound(&bytes).map_err(header)?,
        })
    }

    /// The slots in use.
    pub fn slots(&self) -> Vec<KeySlotInfo> {
        self.area
            .slots()
            .map(|(slot, found)| KeySlotInfo {
                slot,
                kind: match found.kind {
                    SlotKind::Key => "key",
                    SlotKind::Passphrase(_) => "passphrase",
                },
                label: found.label.clone(),
                sound: !self.unsound.contains(&slot),
            })
            .collect()
    }

    /// Lets `secret` open the file too; gives the number of its slot. `opening`: what opens it now.
    ///
    /// # Errors
    /// When nothing of `opening` opens it, all slots are in use, or it cannot be written.
    pub fn add(
        &mut self,
        opening: &[Secret],
        secret: &Secret,
        label: &str,
    ) -> Result<usize, KeySlotsError> {
        let key = self.data_key(&self.area, opening)?;
        let slot = self.area.free().ok_or(KeySlotsError::Full)?;
        let made = wrap(&key, secret, label)?;
        let mut area = self.area.clone();
        let pages = area.change(slot, Some(made))?;
        self.write(area, pages)?;
        Ok(slot)
    }

    /// Takes a slot away. `opening` must open another slot, so that nobody locks himself out.
    ///
    /// It takes nothing from somebody who kept a copy of the file, or of its data key.
    ///
    /// # Errors
    /// When there is no such slot, it is the last one, nothing of `opening` opens another, or it
    /// cannot be written.
    pub fn remove(&mut self, opening: &[Secret], slot: usize) -> Result<(), KeySlotsError> {
        if !self.area.slots().any(|(number, _)| number == slot) {
            return Err(KeySlotsError::NoSuchSlot { slot });
        }
        let mut area = self.area.clone();
        let pages = area.change(slot, None)?;
        if area.slots().next().is_none() {
            return Err(KeySlotsError::Last { slot });
        }
        self.data_key(&area, opening)?;
        self.write(area, pages)
    }

    fn data_key(&self, area: &KeyArea, opening: &[Secret]) -> Result<DataKey, KeySlotsError> {
        for secret in opening {
            match unlock(area, secret) {
                Ok(key) => return Ok(key),
                Err(CryptoError::WrongSecret { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(KeySlotsError::Locked {
            path: self.path.clone(),
        })
    }

    /// Writes the pages of the changed slot, and those of slots that a crash or damage left
    /// unsound.
    fn write(&mut self, mut area: KeyArea, pages: [SlotPage; 2]) -> Result<(), KeySlotsError> {
        let mut all = Vec::new();
        for slot in std::mem::take(&mut self.unsound) {
            let as_read = area.slots().find(|(number, _)| *number == slot);
            let as_read = as_read.map(|(_, slot)| slot.clone());
            all.push(area.change(slot, as_read)?);
        }
        all.push(pages);
        let found = put(&self.path, &all).map_err(|source| KeySlotsError::Io {
            path: self.path.clone(),
            source,
        })?;
        let as_written = KeyArea::check(&found).is_ok()
            && KeyArea::decode(&found).is_ok_and(|found| found == area);
        self.area = area;
        if as_written {
            Ok(())
        } else {
            Err(KeySlotsError::Changed {
                path: self.path.clone(),
            })
        }
    }
}

/// Writes the copies of slots, each durable before the next, and reads the area back.
fn put(path: &Path, slots: &[[SlotPage; 2]]) -> io::Result<Vec<u8>> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    for page in slots.iter().flatten() {
        file.seek(SeekFrom::Start(page.offset))?;
        file.write_all(&page.bytes)?;
        file.sync_data()?;
    }
    read_area(&mut file)
}

fn read_area(file: &mut File) -> io::Result<Vec<u8>> {
    let length = KeyArea::RANGE.end - KeyArea::RANGE.start;
    file.seek(SeekFrom::Start(KeyArea::RANGE.start))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Secret {
        Secret::key([byte; 32])
    }

    /// A file without sessions that opens with key 1.
    fn file() -> (tempfile::TempDir, PathBuf, DataKey) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("Sales.VAB");
        let data_key = DataKey::random().unwrap();
        let area = KeyArea::of([wrap(&data_key, &key(1), "first").unwrap()]);
        let header = VabHeader::new(
            uuid::Uuid::from_u128(1),
            uuid::Uuid::from_u128(2),
            "job",
            "Sales",
            0,
        );
        let mut bytes = header.encrypted().encode().unwrap();
        bytes.extend(area.encode().unwrap());
        bytes.extend([7; 5000]);
        std::fs::write(&path, bytes).unwrap();
        (folder, path, data_key)
    }

    fn opens(path: &Path, secret: &Secret) -> bool {
        unlock(&KeySlots::open(path).unwrap().area, secret).is_ok()
    }

    #[test]
    fn a_key_is_changed_for_another_without_touching_the_data() {
        let (_folder, path, data_key) = file();
        let before = std::fs::read(&path).unwrap();
        let mut slots = KeySlots::open(&path).unwrap();
        assert_eq!(slots.add(&[key(1)], &key(2), "second").unwrap(), 1);
        assert!(opens(&path, &key(1)) && opens(&path, &key(2)));
        slots.remove(&[key(2)], 0).unwrap();
        assert!(!opens(&path, &key(1)) && opens(&path, &key(2)));
        let slots = KeySlots::open(&path).unwrap();
        let opened = unlock(&slots.area, &key(2)).unwrap();
        assert_eq!(opened.id(), data_key.id());
        let info = slots.slots();
        assert_eq!((info[0].slot, info[0].label.as_str()), (1, "second"));
        let after = std::fs::read(&path).unwrap();
        let data = usize::try_from(KeyArea::RANGE.end).unwrap();
        assert_eq!(before[..4096], after[..4096]);
        assert_eq!(before[data..], after[data..]);
    }

    #[test]
    fn who_cannot_open_it_changes_nothing_and_nobody_locks_himself_out() {
        let (_folder, path, _) = file();
        let before = std::fs::read(&path).unwrap();
        let mut slots = KeySlots::open(&path).unwrap();
        let add = slots.add(&[key(9)], &key(2), "");
        assert!(matches!(add, Err(KeySlotsError::Locked { .. })));
        let remove = slots.remove(&[key(1)], 0);
        assert!(matches!(remove, Err(KeySlotsError::Last { slot: 0 })));
        let remove = slots.remove(&[key(1)], 5);
        assert!(matches!(remove, Err(KeySlotsError::NoSuchSlot { slot: 5 })));
        assert_eq!(before, std::fs::read(&path).unwrap());
        slots.add(&[key(1)], &key(2), "").unwrap();
        let remove = slots.remove(&[key(1)], 0);
        assert!(matches!(remove, Err(KeySlotsError::Locked { .. })));
        assert!(opens(&path, &key(1)));
    }

    #[test]
    fn eight_slots_and_no_more() {
        let (_folder, path, _) = file();
        let mut slots = KeySlots::open(&path).unwrap();
        for number in 2..=8 {
            slots.add(&[key(1)], &key(number), "").unwrap();
        }
        let ninth = slots.add(&[key(1)], &key(9), "");
        assert!(matches!(ninth, Err(KeySlotsError::Full)));
    }

    #[test]
    fn what_a_crash_left_is_shown_and_repaired_by_the_next_change() {
        let (_folder, path, _) = file();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[4096 + 100] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let mut slots = KeySlots::open(&path).unwrap();
        assert!(!slots.slots()[0].sound);
        slots.add(&[key(1)], &key(2), "").unwrap();
        let slots = KeySlots::open(&path).unwrap().slots();
        assert!(slots.len() == 2 && slots.iter().all(|slot| slot.sound));
    }

    #[test]
    fn a_plain_file_and_another_file_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, b"no header").unwrap();
        assert!(matches!(
            KeySlots::open(&path),
            Err(KeySlotsError::Header { .. })
        ));
        let id = uuid::Uuid::from_u128(1);
        let header = VabHeader::new(id, id, "job", "Sales", 0);
        std::fs::write(&path, header.encode().unwrap()).unwrap();
        assert!(matches!(
            KeySlots::open(&path),
            Err(KeySlotsError::NotEncrypted { .. })
        ));
    }
}
