//! The pages between the header and the data of an encrypted file.

use std::ops::Range;

use super::{KeySlot, VabHeader};
use crate::error::{DecodeError, EncodeError, Part};
use crate::wire;

/// The key slots of an encrypted file. Each is written twice, eight pages apart, so that no one
/// damaged sector locks the file up.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct KeyArea {
    slots: [Option<KeySlot>; Self::SLOTS],
}

/// One page to be written at its place in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotPage {
    /// Where it begins in the file.
    pub offset: u64,
    /// The page.
    pub bytes: Vec<u8>,
}

impl KeyArea {
    /// How many slots a file has.
    pub const SLOTS: usize = 8;

    /// Where the area lies in the file.
    pub const RANGE: Range<u64> = Self::START..Self::START + 2 * Self::COPY;

    const START: u64 = VabHeader::LENGTH as u64;
    const PAGE: u64 = KeySlot::LENGTH as u64;
    const COPY: u64 = Self::SLOTS as u64 * Self::PAGE;

    /// An area with these slots, at most [`KeyArea::SLOTS`]; others are left out.
    pub fn of(slots: impl IntoIterator<Item = KeySlot>) -> Self {
        let mut area = Self::default();
        for (free, slot) in area.slots.iter_mut().zip(slots) {
            *free = Some(slot);
        }
        area
    }

    /// The slots that are in use, with their numbers.
    pub fn slots(&self) -> impl Iterator<Item = (usize, &KeySlot)> {
        let numbered = self.slots.iter().enumerate();
        numbered.filter_map(|(number, slot)| Some((number, slot.as_ref()?)))
    }

    /// The number of a free slot.
    pub fn free(&self) -> Option<usize> {
        self.slots.iter().position(Option::is_none)
    }

    /// The bytes of the whole area.
    ///
    /// # Errors
    /// When a slot cannot be written down.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut copy = Vec::with_capacity(Self::SLOTS * KeySlot::LENGTH);
        for slot in &self.slots {
            match slot {
                Some(slot) => copy.append(&mut slot.encode()?),
                None => copy.resize(copy.len() + KeySlot::LENGTH, 0),
            }
        }
        copy.extend_from_within(..);
        Ok(copy)
    }

    /// Reads the area ([`KeyArea::RANGE`] of a file). A slot of which one copy is damaged is taken
    /// from the other; one of which both are damaged counts as free.
    ///
    /// # Errors
    /// When the area is cut short.
    pub fn decode(area: &[u8]) -> Result<Self, DecodeError> {
        let pages = Self::pages(area)?;
        let mut slots = pages.map(|(first, second)| match KeySlot::decode(first) {
            Ok(Some(slot)) => Some(slot),
            _ => KeySlot::decode(second).ok().flatten(),
        });
        Ok(Self {
            slots: std::array::from_fn(|_| slots.next().flatten()),
        })
    }

    /// Checks that both copies of every slot are whole and the same.
    ///
    /// # Errors
    /// The first that is not. A crash while a slot is added or removed leaves this too; writing
    /// the area again repairs it.
    pub fn check(area: &[u8]) -> Result<(), DecodeError> {
        for (number, (first, second)) in Self::pages(area)?.enumerate() {
            let (first, second) = (KeySlot::decode(first)?, KeySlot::decode(second)?);
            if first != second {
                return Err(DecodeError::Disagrees {
                    part: Part::KeySlot,
                    field: "second copy",
                    expected: wire::size(number),
                    found: wire::size(number),
                });
            }
        }
        Ok(())
    }

    /// The slots of which one copy is damaged, or not like the other. Writing both again (
    /// [`KeyArea::change`] with what [`KeyArea::decode`] gives) repairs them.
    ///
    /// # Errors
    /// When the area is cut short.
    pub fn unsound(area: &[u8]) -> Result<Vec<usize>, DecodeError> {
        let pages = Self::pages(area)?.enumerate();
        let unsound =
            pages.filter(|(_, (first, second))| first != second || KeySlot::decode(first).is_err());
        Ok(unsound.map(|(number, _)| number).collect())
    }

    /// The two pages that put `slot`, or nothing, into the slot with that number. Write the first
    /// and make it durable before the second.
    ///
    /// # Errors
    /// When there is no such number, or the slot cannot be written down.
    pub fn change(
        &mut self,
        number: usize,
        slot: Option<KeySlot>,
    ) -> Result<[SlotPage; 2], EncodeError> {
        let over = EncodeError::OverLimit {
            part: Part::KeySlot,
            field: "number",
            length: wire::size(number),
            limit: wire::size(Self::SLOTS) - 1,
        };
        let place = self.slots.get_mut(number).ok_or(over)?;
        let bytes = match &slot {
            Some(slot) => slot.encode()?,
            None => vec![0; KeySlot::LENGTH],
        };
        *place = slot;
        let offset = Self::START + wire::size(number) * Self::PAGE;
        Ok([
            SlotPage {
                offset,
                bytes: bytes.clone(),
            },
            SlotPage {
                offset: offset + Self::COPY,
                bytes,
            },
        ])
    }

    /// Both copies of every slot.
    fn pages(area: &[u8]) -> Result<impl Iterator<Item = (&[u8], &[u8])>, DecodeError> {
        let length = Self::SLOTS * KeySlot::LENGTH;
        match area.split_at_checked(length) {
            Some((first, second)) if second.len() >= length => Ok(first
                .chunks_exact(KeySlot::LENGTH)
                .zip(second.chunks_exact(KeySlot::LENGTH))),
            _ => Err(DecodeError::Truncated {
                part: Part::KeySlot,
                needed: wire::size(2 * length),
                found: wire::size(area.len()),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::vab::SlotKind;

    fn slot(number: u8) -> KeySlot {
        KeySlot {
            kind: SlotKind::Key,
            salt: [number; 32],
            label: String::new(),
            data_key: Uuid::from_u128(1),
            wrapped: [number; 48],
        }
    }

    #[test]
    fn goes_both_ways() {
        let area = KeyArea::of([slot(1), slot(2)]);
        let bytes = area.encode().unwrap();
        assert_eq!(
            wire::size(bytes.len()),
            KeyArea::RANGE.end - KeyArea::RANGE.start
        );
        assert_eq!(KeyArea::decode(&bytes), Ok(area));
        assert_eq!(KeyArea::check(&bytes), Ok(()));
    }

    #[test]
    fn a_damaged_page_is_noticed_and_does_not_lock_the_file_up() {
        let area = KeyArea::of([slot(1), slot(2)]);
        let bytes = area.encode().unwrap();
        for page in [0, 1, 8, 9] {
            let mut damaged = bytes.clone();
            damaged[page * 4096 + 100] ^= 1;
            assert!(KeyArea::check(&damaged).is_err());
            assert_eq!(KeyArea::decode(&damaged).as_ref(), Ok(&area));
            damaged[page * 4096..(page + 1) * 4096].fill(0);
            assert!(KeyArea::check(&damaged).is_err());
            assert_eq!(KeyArea::decode(&damaged).as_ref(), Ok(&area));
        }
    }

    /// What may be on the disk after a crash: of the page that was being written, any of its
    /// sectors.
    fn torn(before: &[u8], page: &SlotPage) -> impl Iterator<Item = Vec<u8>> {
        let start = usize::try_from(page.offset - KeyArea::START).unwrap();
        (0..=255_u8).map(move |sectors| {
            let mut area = before.to_vec();
            for sector in (0..8).filter(|sector| sectors & (1 << sector) != 0) {
                let at = sector * 512;
                area[start + at..start + at + 512].copy_from_slice(&page.bytes[at..at + 512]);
            }
            area
        })
    }

    #[test]
    fn after_any_crash_a_slot_is_as_it_was_or_as_it_should_be() {
        let old = KeyArea::of([slot(1), slot(2)]);
        for (number, content) in [(2, Some(slot(3))), (1, None), (0, None)] {
            let mut new = old.clone();
            let pages = new.change(number, content).unwrap();
            let mut disk = old.encode().unwrap();
            for page in pages {
                for area in torn(&disk, &page) {
                    let found = KeyArea::decode(&area).unwrap();
                    assert!(found == old || found == new, "slot {number}");
                    let unsound = KeyArea::unsound(&area).unwrap();
                    assert!(unsound.iter().all(|slot| *slot == number));
                }
                let start = usize::try_from(page.offset - KeyArea::START).unwrap();
                disk[start..start + 4096].copy_from_slice(&page.bytes);
            }
            assert_eq!(KeyArea::decode(&disk).as_ref(), Ok(&new));
            assert_eq!(KeyArea::check(&disk), Ok(()));
        }
    }

    #[test]
    fn a_slot_is_added_and_removed_by_two_pages() {
        let mut area = KeyArea::of([slot(1)]);
        let mut file = vec![0; 4096];
        file.extend(area.encode().unwrap());
        let mut write = |pages: [SlotPage; 2]| {
            for page in pages {
                let at = usize::try_from(page.offset).unwrap();
                file[at..at + 4096].copy_from_slice(&page.bytes);
            }
            KeyArea::check(&file[4096..]).unwrap();
            KeyArea::decode(&file[4096..]).unwrap()
        };
        let free = area.free().unwrap();
        let read = write(area.change(free, Some(slot(2))).unwrap());
        assert_eq!(read, KeyArea::of([slot(1), slot(2)]));
        let read = write(area.change(0, None).unwrap());
        assert_eq!(read.slots().collect::<Vec<_>>(), [(1, &slot(2))]);
        assert!(area.change(8, None).is_err());
    }
}
