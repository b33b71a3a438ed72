//! Messages of the hello: a length and that many bytes.

use std::io;

use super::hello::MAX_MESSAGE;
use super::sys::Socket;
use crate::clock::Deadline;

pub(super) fn send(socket: &Socket, message: &[u8], deadline: Deadline) -> io::Result<()> {
    let length = u32::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    socket.send(&length.to_le_bytes(), message, deadline)
}

pub(super) fn receive(socket: &Socket, deadline: Deadline) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    receive_exact(socket, &mut length, deadline)?;
    let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
    if length > MAX_MESSAGE {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut message = vec![0; length];
    receive_exact(socket, &mut message, deadline)?;
    Ok(message)
}

/// Fills `into`.
pub(super) fn receive_exact(
    socket: &Socket,
    into: &mut [u8],
    deadline: Deadline,
) -> io::Result<()> {
    let mut filled = 0;
    while let Some(room) = into.get_mut(filled..).filter(|room| !room.is_empty()) {
        match socket.receive(room, deadline)? {
            None => return Err(io::ErrorKind::TimedOut.into()),
            Some(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Some(count) => filled += count,
        }
    }
    Ok(())
}
