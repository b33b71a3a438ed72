//! Memory that both processes of a set have, so that data is not copied through a socket.
//!
//! The engine makes it and sends it; neither side can make it smaller under the other's hands.
//! Every device has slots of its own, each as large as the greatest transfer; a command names its
//! slot.

mod area;
mod slots;

use std::io;
use std::sync::Arc;

use self::area::Area;
pub(super) use self::slots::Slots;
use super::sys::{self, Shared, Socket};
use crate::clock::Deadline;

/// The memory of a set.
#[derive(Debug)]
pub(super) struct Memory {
    /// Until both sides have mapped it.
    shared: Shared,
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

impl Memory {
    /// Makes memory of that shape.
    pub(super) fn create(shape: Shape) -> io::Result<Self> {
        let (area, shared) = Area::create(shape.length()?)?;
        Ok(Self {
            shared,
            area,
            shape,
        })
    }

    /// Whether the other side could send some.
    pub(super) fn can_receive(socket: &Socket) -> bool {
        sys::can_receive(socket)
    }

    /// Sends it to the other side.
    pub(super) fn send(&self, socket: &Socket, deadline: Deadline) -> io::Result<()> {
        sys::send(socket, &self.shared, deadline)
    }

    /// Receives it from the other side. The shape is what was agreed on; the memory has to fit.
    pub(super) fn receive(socket: &Socket, shape: Shape, deadline: Deadline) -> io::Result<Self> {
        let shared = sys::receive(socket, deadline)?;
        let area = Area::open(&shared, shape.length()?)?;
        Ok(Self {
            shared,
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
