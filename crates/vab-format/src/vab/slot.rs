//! Key slots: the data key of an encrypted file, wrapped.

use binrw::binrw;
use uuid::Uuid;

use crate::error::{DecodeError, EncodeError, Part};
use crate::{checksum, wire};

const PART: Part = Part::KeySlot;

/// The data key of a file, wrapped with one secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySlot {
    /// What the secret is.
    pub kind: SlotKind,
    /// Random, new whenever a slot is made.
    pub salt: [u8; 32],
    /// A name for people, at most 64 bytes, not secret.
    pub label: String,
    /// The identity of the data key.
    pub data_key: Uuid,
    /// The data key as ciphertext, and the authentication tag.
    pub wrapped: [u8; 48],
}

/// What kind of secret opens a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SlotKind {
    /// A key of 32 bytes.
    Key,
    /// A passphrase.
    Passphrase(Argon2Cost),
}

/// What it costs to try a passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Argon2Cost {
    /// Memory in KiB, at least 8 for each lane, at most [`Argon2Cost::MAX_MEMORY`].
    pub memory: u32,
    /// Passes over it, 1 to 64.
    pub passes: u32,
    /// Lanes, 1 to 64.
    pub lanes: u32,
}

impl Argon2Cost {
    /// The most memory that a file may ask for: 1 GiB.
    pub const MAX_MEMORY: u32 = 1 << 20;

    const MAX_OTHER: u32 = 64;

    const fn is_valid(self) -> bool {
        let Self {
            memory,
            passes,
            lanes,
        } = self;
        lanes >= 1
            && lanes <= Self::MAX_OTHER
            && passes >= 1
            && passes <= Self::MAX_OTHER
            && memory >= 8 * lanes
            && memory <= Self::MAX_MEMORY
    }
}

impl Default for Argon2Cost {
    /// 64 MiB, 3 passes, 4 lanes: the second recommendation of RFC 9106.
    fn default() -> Self {
        Self {
            memory: 64 << 10,
            passes: 3,
            lanes: 4,
        }
    }
}

impl KeySlot {
    /// The encoded length in bytes: one page.
    pub const LENGTH: usize = 4096;

    /// The longest label in bytes.
    pub const MAX_LABEL: usize = 64;

    const MAGIC: [u8; 8] = *b"VABSLOT\0";

    /// The bytes of the slot's page.
    ///
    /// # Errors
    /// When the label is too long or holds a zero byte, or the cost is out of its range.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let fields: [u8; Fields::LENGTH] = wire::fixed(&self.fields()?);
        let mut page = fields.to_vec();
        page.resize(Self::LENGTH - 4, 0);
        let crc = checksum::crc32c(&page);
        page.extend_from_slice(&crc.to_le_bytes());
        Ok(page)
    }

    /// The bytes that the wrapping of the data key is bound to.
    ///
    /// # Errors
    /// As [`KeySlot::encode`].
    pub fn associated_data(&self) -> Result<[u8; 136], EncodeError> {
        let fields: [u8; Fields::LENGTH] = wire::fixed(&self.fields()?);
        Ok(fields.first_chunk().copied().unwrap_or([0; 136]))
    }

    /// Reads a page; `None` when the slot is free.
    ///
    /// # Errors
    /// When the page is cut short, damaged, or has a field out of its range.
    pub fn decode(page: &[u8]) -> Result<Option<Self>, DecodeError> {
        let Some(page) = page.first_chunk::<{ Self::LENGTH }>() else {
            return Err(DecodeError::Truncated {
                part: PART,
                needed: Self::LENGTH as u64,
                found: wire::size(page.len()),
            });
        };
        if wire::zero(PART, 0, page).is_ok() {
            return Ok(None);
        }
        if !page.starts_with(&Self::MAGIC) {
            return Err(DecodeError::BadMagic {
                part: PART,
                found: wire::opening(page, 8),
            });
        }
        let (covered, crc) = page.split_at(Self::LENGTH - 4);
        let expected = crc.try_into().map_or(0, u32::from_le_bytes);
        let found = checksum::crc32c(covered);
        if expected != found {
            return Err(DecodeError::Checksum {
                part: PART,
                expected,
                found,
            });
        }
        let (fields, rest) = covered.split_at(Fields::LENGTH);
        wire::zero(PART, wire::size(Fields::LENGTH), rest)?;
        Self::from_fields(&wire::parse(PART, fields)?).map(Some)
    }

    fn fields(&self) -> Result<Fields, EncodeError> {
        let over = |field, length: usize, limit: usize| EncodeError::OverLimit {
            part: PART,
            field,
            length: wire::size(length),
            limit: wire::size(limit),
        };
        let mut label = [0; Self::MAX_LABEL];
        let text = self.label.as_bytes();
        match label.get_mut(..text.len()) {
            Some(start) if !text.contains(&0) => start.copy_from_slice(text),
            _ => return Err(over("label", text.len(), Self::MAX_LABEL)),
        }
        let (kind, cost) = match self.kind {
            SlotKind::Key => (1, [0; 3]),
            SlotKind::Passphrase(cost) if cost.is_valid() => {
                (2, [cost.memory, cost.passes, cost.lanes])
            }
            SlotKind::Passphrase(_) => return Err(over("cost", usize::MAX, 0)),
        };
        Ok(Fields {
            magic: Self::MAGIC,
            kind,
            zero: 0,
            cost,
            salt: self.salt,
            label,
            data_key: self.data_key.into_bytes(),
            wrapped: self.wrapped,
        })
    }

    fn from_fields(fields: &Fields) -> Result<Self, DecodeError> {
        let invalid = |field, found| DecodeError::InvalidValue {
            part: PART,
            field,
            found,
        };
        let [memory, passes, lanes] = fields.cost;
        let cost = Argon2Cost {
            memory,
            passes,
            lanes,
        };
        let kind = match fields.kind {
            1 if fields.cost == [0; 3] => SlotKind::Key,
            2 if cost.is_valid() => SlotKind::Passphrase(cost),
            1 | 2 => return Err(invalid("cost", memory.into())),
            other => return Err(invalid("kind", other.into())),
        };
        if fields.zero != 0 {
            return Err(invalid("zero", fields.zero.into()));
        }
        let length = fields.label.iter().position(|byte| *byte == 0);
        let length = length.unwrap_or(Self::MAX_LABEL);
        let (label, rest) = fields.label.split_at(length);
        wire::zero(PART, 56 + wire::size(length), rest)?;
        let label = std::str::from_utf8(label).map_err(|_| DecodeError::NotUtf8 {
            part: PART,
            field: "label",
        })?;
        Ok(Self {
            kind,
            salt: fields.salt,
            label: label.to_owned(),
            data_key: Uuid::from_bytes(fields.data_key),
            wrapped: fields.wrapped,
        })
    }
}

/// The slot as it lies in the file.
#[binrw]
#[brw(little)]
struct Fields {
    magic: [u8; 8],
    kind: u16,
    zero: u16,
    cost: [u32; 3],
    salt: [u8; 32],
    label: [u8; 64],
    data_key: [u8; 16],
    wrapped: [u8; 48],
}

impl Fields {
    const LENGTH: usize = 184;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot() -> KeySlot {
        KeySlot {
            kind: SlotKind::Passphrase(Argon2Cost::default()),
            salt: [7; 32],
            label: "büro".into(),
            data_key: Uuid::from_u128(9),
            wrapped: [8; 48],
        }
    }

    #[test]
    fn goes_both_ways() {
        let key = KeySlot {
            kind: SlotKind::Key,
            label: "x".repeat(64),
            ..slot()
        };
        for slot in [slot(), key] {
            assert_eq!(KeySlot::decode(&slot.encode().unwrap()), Ok(Some(slot)));
        }
    }

    #[test]
    fn a_page_of_zeros_is_a_free_slot() {
        assert_eq!(KeySlot::decode(&[0; 4096]), Ok(None));
        assert!(KeySlot::decode(&[0; 4095]).is_err());
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let mut page = slot().encode().unwrap();
        for bit in 0..page.len() * 8 {
            page[bit / 8] ^= 1 << (bit % 8);
            assert!(KeySlot::decode(&page).is_err(), "bit {bit}");
            page[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn a_cost_beyond_the_limits_is_neither_written_nor_read() {
        let default = Argon2Cost::default();
        for cost in [
            Argon2Cost {
                memory: Argon2Cost::MAX_MEMORY + 1,
                ..default
            },
            Argon2Cost {
                memory: 31,
                ..default
            },
            Argon2Cost {
                passes: 0,
                ..default
            },
            Argon2Cost {
                lanes: 65,
                ..default
            },
        ] {
            let slot = KeySlot {
                kind: SlotKind::Passphrase(cost),
                ..slot()
            };
            assert!(slot.encode().is_err());
        }
        let mut page = slot().encode().unwrap();
        page[16] = 0;
        let crc = checksum::crc32c(&page[..4092]);
        page[4092..].copy_from_slice(&crc.to_le_bytes());
        assert!(matches!(
            KeySlot::decode(&page),
            Err(DecodeError::InvalidValue { field: "cost", .. })
        ));
    }

    #[test]
    fn a_label_that_does_not_fit_is_not_written() {
        for label in ["x".repeat(65), "a\0b".to_owned()] {
            assert!(KeySlot { label, ..slot() }.encode().is_err());
        }
    }
}
