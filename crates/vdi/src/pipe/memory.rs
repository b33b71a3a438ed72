//! Memory that both processes of a set have, so that data is not copied through a socket.
//!
//! The engine makes it and sends its descriptor; the seals keep either side from making it
//! smaller under the other's hands. Every device has slots of its own, each as large as the
//! greatest transfer; a command names its slot.

mod area;
mod slots;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use self::area::Area;
pub(super) use self::slots::Slots;
use super::socket::Socket;
use crate::clock::Deadline;

/// The memory of a set.
#[derive(Debug)]
pub(super) struct Memory {
    descriptor: OwnedFd,
    area: Area,
    shape: Shape,
}

/// How the memory is divided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) devices: usize,
    /// Per device.
    pub(super) slots: usize,
    /// Bytes of a slot.
    pub(super) slot: usize,
}

/// Goes with the descriptor, which cannot travel alone.
const WORD: &[u8] = b"M";

impl Memory {
    /// Makes memory of that shape.
    pub(super) fn create(shape: Shape) -> io::Result<Self> {
        let (area, descriptor) = Area::create(shape.length()?)?;
        Ok(Self {
            descriptor,
            area,
            shape,
        })
    }

    /// Sends it to the other side.
    pub(super) fn send(&self, socket: &Socket, deadline: Deadline) -> io::Result<()> {
        socket.send_descriptor(WORD, self.descriptor.as_fd(), deadline)
    }

    /// Receives it from the other side. The shape is what was agreed on; the memory has to fit.
    pub(super) fn receive(socket: &Socket, shape: Shape, deadline: Deadline) -> io::Result<Self> {
        let descriptor = socket.receive_descriptor(WORD, deadline)?;
        let area = Area::open(descriptor.as_fd(), shape.length()?)?;
        Ok(Self {
            descriptor,
            area,
            shape,
        })
    }

    /// The slots of every device.
    pub(super) fn into_slots(self) -> Vec<Slots> {
        let (area, shape) = (Arc::new(self.area), self.shape);
        let first = |device| device * shape.slots * shape.slot;
        let slots = |device| Slots::new(Arc::clone(&area), first(device), shape.slots, shape.slot);
        (0..shape.devices).map(slots).collect()
    }
}

impl Shape {
    fn length(self) -> io::Result<usize> {
        let slots = self.devices.checked_mul(self.slots);
        let length = slots.and_then(|slots| slots.checked_mul(self.slot));
        length
            .filter(|&length| length > 0)
            .ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }
}
