//! How heads and bodies get to the other side of a device, whichever way was agreed on.

use std::io;

use super::frame::{FrameError, FrameReader, Head, Progress, Room};
use super::memory::{Board, Heard};
use super::sys::Socket;
use crate::clock::Deadline;

/// The way of one device.
#[derive(Debug)]
pub(super) enum Line {
    /// All goes through the connection.
    Connection(FrameReader),
    /// Heads are put before the other side, and bodies are in slots.
    Memory(Board),
}

impl Line {
    pub(super) fn new(board: Option<Board>) -> Self {
        board.map_or_else(|| Self::Connection(FrameReader::default()), Self::Memory)
    }

    /// The next frame. `accept` checks its head and gives room for its body.
    pub(super) fn next(
        &mut self,
        socket: &Socket,
        deadline: Deadline,
        accept: impl FnOnce(&Head) -> Result<Room, String>,
    ) -> Result<Progress, FrameError> {
        let board = match self {
            Self::Connection(reader) => return reader.next(socket, deadline, accept),
            Self::Memory(board) => board,
        };
        Ok(match board.next(socket, deadline)? {
            Heard::Head(head) => {
                let room = accept(&head).map_err(FrameError::Rule)?;
                Progress::Frame(head, room.buffer)
            }
            Heard::TimedOut => Progress::TimedOut,
            Heard::Cut => Progress::Cut,
        })
    }

    /// Sends a frame. With `is_last_word`, an error says that the other side is gone; without, that
    /// may be seen only in the next wait.
    pub(super) fn send(
        &mut self,
        socket: &Socket,
        head: Head,
        body: &[u8],
        is_last_word: bool,
        deadline: Deadline,
    ) -> io::Result<()> {
        match self {
            Self::Connection(_) => socket.send(&head.encode(), body, deadline),
            Self::Memory(board) => board.put(head, socket, is_last_word),
        }
    }
}
