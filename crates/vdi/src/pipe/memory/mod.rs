//! Memory that both processes of a set have, so that data is not copied through a socket.
//!
//! The engine makes it and sends it; neither side can make it smaller under the other's hands.
//! Every device has slots of its own, each as large as the greatest transfer; a command names its
//! slot. Behind all slots every device has a board, by which heads get to the other side.

mod area;
mod board;
mod ring;
mod slots;

use std::io;
use std::sync::Arc;

use self::area::Area;
pub(super) use self::board::{Board, Heard, Side};
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

/// What one device has of the memory.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) slots: Slots,
    pub(super) board: Board,
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

    /// The parts of the devices, as one side has them.
    pub(super) fn into_parts(self, side: Side) -> Vec<Part> {
        let (area, shape) = (Arc::new(self.area), self.shape);
        let (slots, length) = (shape.slots, shape.slot);
        // `length` was computed from these without overflow.
        let boards = shape.boards().unwrap_or(usize::MAX);
        let part = |device| Part {
            slots: Slots::new(Arc::clone(&area), device * slots * length, slots, length),
            board: Board::new(&area, boards + device * shape.board(), slots, side),
        };
        (0..shape.devices).map(part).collect()
    }
}

/// Where boards begin and end, so that no two share a page.
const PAGE: usize = 4096;

impl Shape {
    fn length(self) -> io::Result<usize> {
        let boards = self.devices.checked_mul(self.board());
        let length = boards.and_then(|boards| self.boards()?.checked_add(boards));
        length
            .filter(|&length| length > 0)
            .ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }

    /// Where the boards begin.
    fn boards(self) -> Option<usize> {
        let slots = self.devices.checked_mul(self.slots)?;
        let length = slots.checked_mul(self.slot)?;
        length.checked_next_multiple_of(PAGE)
    }

    /// Bytes of a board.
    fn board(self) -> usize {
        board::bytes(self.slots).next_multiple_of(PAGE)
    }
}
