//! Key slots on the way from one machine to another.

use super::{KeyArea, KeySlot};
use crate::error::{DecodeError, EncodeError, Part};
use crate::{checksum, wire};

const PART: Part = Part::KeySlot;

/// What of a slot's page is not zero, apart from its checksum.
const FIELDS: usize = 184;

impl KeyArea {
    /// The most bytes that [`KeyArea::pack`] gives.
    pub const MAX_PACKED: usize = Self::SLOTS * FIELDS;

    /// The slots in use without their padding: 184 bytes for each, at most
    /// [`KeyArea::MAX_PACKED`] in all; nothing for an area without slots.
    ///
    /// # Errors
    /// When a slot cannot be written down.
    pub fn pack(&self) -> Result<Vec<u8>, EncodeError> {
        let mut packed = Vec::with_capacity(Self::MAX_PACKED);
        for (_, slot) in self.slots() {
            let page = slot.encode()?;
            packed.extend_from_slice(page.get(..FIELDS).unwrap_or_default());
        }
        Ok(packed)
    }

    /// The area with these slots, in their order.
    ///
    /// # Errors
    /// When the bytes are no slots, or too many.
    pub fn unpack(packed: &[u8]) -> Result<Self, DecodeError> {
        if packed.len() > Self::MAX_PACKED {
            return Err(DecodeError::OverLimit {
                part: PART,
                field: "packed slots",
                length: wire::size(packed.len()),
                limit: wire::size(Self::MAX_PACKED),
            });
        }
        let slots: Result<Vec<_>, _> = packed.chunks(FIELDS).map(slot).collect();
        Ok(Self::of(slots?))
    }
}

fn slot(fields: &[u8]) -> Result<KeySlot, DecodeError> {
    let truncated = DecodeError::Truncated {
        part: PART,
        needed: wire::size(FIELDS),
        found: wire::size(fields.len()),
    };
    if fields.len() != FIELDS {
        return Err(truncated);
    }
    let mut page = fields.to_vec();
    page.resize(KeySlot::LENGTH - 4, 0);
    let crc = checksum::crc32c(&page);
    page.extend_from_slice(&crc.to_le_bytes());
    KeySlot::decode(&page)?.ok_or(truncated)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::vab::{Argon2Cost, SlotKind};

    fn slot(number: u8, kind: SlotKind) -> KeySlot {
        KeySlot {
            kind,
            salt: [number; 32],
            label: format!("slot {number}"),
            data_key: Uuid::from_u128(1),
            wrapped: [number; 48],
        }
    }

    #[test]
    fn goes_both_ways() {
        let passphrase = SlotKind::Passphrase(Argon2Cost::default());
        for count in 0..=8 {
            let area = KeyArea::of((0..count).map(|number| slot(number, passphrase)));
            let packed = area.pack().unwrap();
            assert_eq!(packed.len(), usize::from(count) * 184);
            assert_eq!(KeyArea::unpack(&packed), Ok(area));
        }
    }

    #[test]
    fn gaps_between_slots_are_closed() {
        let mut area = KeyArea::of([slot(1, SlotKind::Key), slot(2, SlotKind::Key)]);
        area.change(0, None).unwrap();
        let again = KeyArea::unpack(&area.pack().unwrap()).unwrap();
        assert_eq!(again, KeyArea::of([slot(2, SlotKind::Key)]));
    }

    #[test]
    fn what_is_no_slot_is_refused() {
        let packed = KeyArea::of([slot(1, SlotKind::Key)]).pack().unwrap();
        for bytes in [
            packed[..183].to_vec(),
            vec![0; 184],
            packed.repeat(9),
            [packed.as_slice(), &[0]].concat(),
        ] {
            assert!(KeyArea::unpack(&bytes).is_err(), "{} bytes", bytes.len());
        }
    }
}
