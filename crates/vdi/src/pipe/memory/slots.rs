//! The slots of one device, and who has each of them.

use std::sync::Arc;

use super::area::Area;
use crate::buffer::Buffer;

/// The part of the memory that belongs to one device.
#[derive(Debug)]
pub(crate) struct Slots {
    area: Arc<Area>,
    first: usize,
    length: usize,
    owners: Vec<Owner>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// Nobody on this side.
    Free,
    /// This side has the only buffer there is of it.
    Here,
    /// The other side has it, with a command.
    Lent,
}

impl Slots {
    /// The slots of a device, from the byte `first` of the area on. Different devices have
    /// different bytes.
    pub(super) fn new(area: Arc<Area>, first: usize, count: usize, length: usize) -> Self {
        let owners = vec![Owner::Free; count];
        Self {
            area,
            first,
            length,
            owners,
        }
    }

    /// Any free slot, whole.
    pub(crate) fn take(&mut self) -> Option<Buffer> {
        let slot = self.owners.iter().position(|&owner| owner == Owner::Free)?;
        self.hold(slot, Owner::Free, self.length)
    }

    /// Hands a slot to the other side; gives its number.
    pub(crate) fn lend(&mut self, buffer: Buffer) -> Option<u32> {
        let slot = self.slot_of(&buffer)?;
        drop(buffer);
        *self.owners.get_mut(slot)? = Owner::Lent;
        u32::try_from(slot).ok()
    }

    /// Takes a slot back that was lent, whole.
    pub(crate) fn take_back(&mut self, slot: u32) -> Option<Buffer> {
        self.hold(usize::try_from(slot).ok()?, Owner::Lent, self.length)
    }

    /// Takes the first `size` bytes of a slot that the other side names.
    pub(crate) fn claim(&mut self, slot: u32, size: usize) -> Option<Buffer> {
        self.hold(usize::try_from(slot).ok()?, Owner::Free, size)
    }

    /// A buffer is used no more.
    pub(crate) fn free(&mut self, buffer: Buffer) {
        let slot = self.slot_of(&buffer);
        drop(buffer);
        if let Some(owner) = slot.and_then(|slot| self.owners.get_mut(slot)) {
            *owner = Owner::Free;
        }
    }

    fn hold(&mut self, slot: usize, before: Owner, size: usize) -> Option<Buffer> {
        let owner = self
            .owners
            .get_mut(slot)
            .filter(|owner| **owner == before)?;
        let first = self.first + slot * self.length;
        // SAFETY: nobody of this process has the slot, by its owner; the other side left it to us
        // with a command, or knows nothing of it yet. What a device hands out does not outlive
        // the device, and the device keeps the area.
        let zone = unsafe { self.area.zone(first, size.min(self.length)) }?;
        *owner = Owner::Here;
        Some(Buffer::Mapped(zone))
    }

    fn slot_of(&self, buffer: &Buffer) -> Option<usize> {
        let Buffer::Mapped(zone) = buffer else {
            return None;
        };
        let offset = self.area.offset_of(zone)?.checked_sub(self.first)?;
        let slot = offset / self.length;
        (self.owners.get(slot) == Some(&Owner::Here)).then_some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots() -> Slots {
        let (area, _shared) = Area::create(3 * 4096).unwrap();
        Slots::new(Arc::new(area), 4096, 2, 4096)
    }

    #[test]
    fn a_slot_has_one_owner_at_a_time() {
        let mut slots = slots();
        let first = slots.claim(0, 100).unwrap();
        assert_eq!(first.bytes().len(), 100);
        assert!(slots.claim(0, 100).is_none());
        let second = slots.take().unwrap();
        assert!(slots.take().is_none());
        slots.free(first);
        assert!(slots.claim(0, 1).is_some());
        slots.free(second);
        assert!(slots.claim(2, 1).is_none(), "there are two");
        assert!(slots.claim(u32::MAX, 1).is_none());
    }

    #[test]
    fn what_is_lent_comes_back_once() {
        let mut slots = slots();
        let buffer = slots.take().unwrap();
        let slot = slots.lend(buffer).unwrap();
        assert!(slots.claim(slot, 1).is_none());
        let back = slots.take_back(slot).unwrap();
        assert!(slots.take_back(slot).is_none());
        slots.free(back);
        assert!(slots.take_back(slot).is_none());
    }

    #[test]
    fn no_claim_is_longer_than_a_slot() {
        assert_eq!(slots().claim(1, usize::MAX).unwrap().bytes().len(), 4096);
    }
}
