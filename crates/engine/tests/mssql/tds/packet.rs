//! Packets, and messages made of them.

use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

/// What a stream of the protocol has to do.
pub(crate) trait Wire: Read + Write + Send {
    /// How long a read waits; `None` for ever.
    fn patience(&self, limit: Option<Duration>) -> io::Result<()>;
}

impl Wire for std::net::TcpStream {
    fn patience(&self, limit: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(limit)
    }
}

pub(crate) const BATCH: u8 = 1;
pub(crate) const ANSWER: u8 = 4;
pub(crate) const ATTENTION: u8 = 6;
pub(crate) const LOGIN: u8 = 16;
pub(crate) const PRELOGIN: u8 = 18;

const HEADER: usize = 8;
/// What both sides agree on at the login.
pub(crate) const SIZE: usize = 4096;

/// Reads one packet: its kind, whether it ends the message, and its content.
fn read_packet(wire: &mut (impl Read + ?Sized)) -> io::Result<(u8, bool, Vec<u8>)> {
    let mut header = [0; HEADER];
    wire.read_exact(&mut header)?;
    let [kind, status, high, low, ..] = header;
    let length = usize::from(u16::from_be_bytes([high, low]));
    let mut content = vec![0; length.saturating_sub(HEADER)];
    wire.read_exact(&mut content)?;
    Ok((kind, status & 1 == 1, content))
}

/// Reads a whole message.
pub(crate) fn read(wire: &mut (impl Read + ?Sized)) -> io::Result<(u8, Vec<u8>)> {
    let mut message = Vec::new();
    loop {
        let (kind, last, content) = read_packet(wire)?;
        message.extend(content);
        if last {
            return Ok((kind, message));
        }
    }
}

/// Waits for a message this long.
pub(crate) fn read_within(
    wire: &mut (impl Wire + ?Sized),
    limit: Duration,
) -> io::Result<Option<(u8, Vec<u8>)>> {
    wire.patience(Some(limit))?;
    let read = read(wire);
    wire.patience(None)?;
    match read {
        Ok(message) => Ok(Some(message)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Writes a part of a message, in packets of the size that was agreed on.
pub(crate) fn write(
    wire: &mut (impl Write + ?Sized),
    kind: u8,
    content: &[u8],
    last: bool,
) -> io::Result<()> {
    let mut chunks = content.chunks(SIZE - HEADER).peekable();
    if content.is_empty() {
        return write_packet(wire, kind, &[], last);
    }
    while let Some(chunk) = chunks.next() {
        write_packet(wire, kind, chunk, last && chunks.peek().is_none())?;
    }
    wire.flush()
}

fn write_packet(
    wire: &mut (impl Write + ?Sized),
    kind: u8,
    content: &[u8],
    last: bool,
) -> io::Result<()> {
    let length = u16::try_from(content.len() + HEADER).unwrap();
    let mut packet = vec![kind, u8::from(last)];
    packet.extend(length.to_be_bytes());
    packet.extend([0, 52, 1, 0]);
    packet.extend(content);
    wire.write_all(&packet)?;
    wire.flush()
}
