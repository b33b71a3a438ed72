//! Where there is no memory that processes can share under seals, data goes through the sockets.

use std::io;

use super::frame::{FrameError, Head};
use super::sys::Socket;
use crate::buffer::Buffer;
use crate::clock::Deadline;

/// There is none.
#[derive(Debug)]
pub(super) enum Memory {}

/// There are none.
#[derive(Debug)]
pub(super) enum Slots {}

/// There are none.
#[derive(Debug)]
pub(super) enum Board {}

#[derive(Debug)]
pub(super) struct Part {
    pub(super) slots: Slots,
    pub(super) board: Board,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Side {
    Engine,
    Client,
}

#[derive(Debug)]
#[expect(dead_code, reason = "nothing is heard without memory")]
pub(super) enum Heard {
    Head(Head),
    TimedOut,
    Cut,
}

#[derive(Debug, Clone, Copy)]
#[expect(
    dead_code,
    reason = "what it would be divided into is of no interest here"
)]
pub(super) struct Shape {
    pub(super) devices: usize,
    pub(super) slots: usize,
    pub(super) slot: usize,
}

impl Memory {
    pub(super) fn create(_shape: Shape) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn can_receive(_socket: &Socket) -> bool {
        false
    }

    pub(super) fn send(&self, _socket: &Socket, _deadline: Deadline) -> io::Result<()> {
        match *self {}
    }

    pub(super) fn receive(_socket: &Socket, _shape: Shape, _end: Deadline) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn into_parts(self, _side: Side) -> Vec<Part> {
        match self {}
    }
}

impl Board {
    pub(super) fn put(&mut self, _head: Head, _socket: &Socket, _ring: bool) -> io::Result<()> {
        match *self {}
    }

    pub(super) fn next(&mut self, _: &Socket, _end: Deadline) -> Result<Heard, FrameError> {
        match *self {}
    }
}

impl Slots {
    pub(super) fn take(&mut self) -> Option<Buffer> {
        match *self {}
    }

    pub(super) fn lend(&mut self, _buffer: Buffer) -> Option<u32> {
        match *self {}
    }

    pub(super) fn take_back(&mut self, _slot: u32) -> Option<Buffer> {
        match *self {}
    }

    pub(super) fn claim(&mut self, _slot: u32, _size: usize) -> Option<Buffer> {
        match *self {}
    }

    pub(super) fn free(&mut self, _buffer: Buffer) {
        match *self {}
    }
}
