//! What travels on a device's connection.
//!
//! A frame is a head of 24 bytes, little-endian, and a body of `body` bytes:
//! kind u8 (1 command, 2 close, 3 completion), three zero bytes, code u32, size u32, body u32,
//! ticket u64. A command of code `Write` has its data as the body; a completion of a `Read` has
//! the bytes that were read. All others have no body.
//!
//! If both sides share memory, there are no bodies at all: in a command of code `Write` or `Read`,
//! `body` is the number of the slot that has the data, or room for it. The heads are in the memory
//! too then, as three words each.

use std::io;

use super::sys::Socket;
use crate::clock::Deadline;

/// Bytes of a head.
pub(super) const HEAD: usize = 24;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Engine to client: `code` is the command, `size` its size.
    Command,
    /// Engine to client: the normal end of the device.
    Close,
    /// Client to engine: `code` is the completion code, `size` the bytes written or read.
    Completion,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: Kind,
    pub(super) code: u32,
    pub(super) size: u32,
    pub(super) body: u32,
    pub(super) ticket: u64,
}

impl Head {
    pub(super) fn encode(self) -> [u8; HEAD] {
        let kind: u32 = match self.kind {
            Kind::Command => 1,
            Kind::Close => 2,
            Kind::Completion => 3,
        };
        let mut bytes = [0; HEAD];
        let words = [kind, self.code, self.size, self.body];
        let words = words.into_iter().flat_map(u32::to_le_bytes);
        for (to, from) in bytes.iter_mut().zip(words.chain(self.ticket.to_le_bytes())) {
            *to = from;
        }
        bytes
    }

    /// The head as words, for memory that both sides have.
    pub(super) fn words(self) -> [u64; 3] {
        let bytes = self.encode();
        let (words, _) = bytes.as_chunks();
        let mut words = words.iter().copied().map(u64::from_le_bytes);
        [(); 3].map(|()| words.next().unwrap_or_default())
    }

    pub(super) fn from_words(words: [u64; 3]) -> Result<Self, String> {
        let mut bytes = [0; HEAD];
        let (chunks, _) = bytes.as_chunks_mut();
        for (to, from) in chunks.iter_mut().zip(words) {
            *to = from.to_le_bytes();
        }
        Self::decode(&bytes)
    }

    pub(super) fn decode(bytes: &[u8; HEAD]) -> Result<Self, String> {
        let [
            k0,
            k1,
            k2,
            k3,
            c0,
            c1,
            c2,
            c3,
            s0,
            s1,
            s2,
            s3,
            b0,
            b1,
            b2,
            b3,
            ticket @ ..,
        ] = *bytes;
        let kind = match u32::from_le_bytes([k0, k1, k2, k3]) {
            1 => Kind::Command,
            2 => Kind::Close,
            3 => Kind::Completion,
            other => return Err(format!("a frame of unknown kind {other:#x}")),
        };
        Ok(Self {
            kind,
            code: u32::from_le_bytes([c0, c1, c2, c3]),
            size: u32::from_le_bytes([s0, s1, s2, s3]),
            body: u32::from_le_bytes([b0, b1, b2, b3]),
            ticket: u64::from_le_bytes(ticket),
        })
    }
}

/// Puts frames together; keeps what arrived of one when a wait times out in its middle.
#[derive(Debug, Default)]
pub(super) struct FrameReader {
    head: [u8; HEAD],
    have: usize,
    body: Option<Body>,
    ahead: Ahead,
}

/// What came together with something that was waited for: the heads of several commands usually
/// do, and one call takes them all.
#[derive(Debug)]
struct Ahead {
    bytes: [u8; AHEAD],
    from: usize,
    until: usize,
}

/// As many heads as there are commands of a device.
const AHEAD: usize = 4 * HEAD;

#[derive(Debug)]
struct Body {
    head: Head,
    room: Room,
    have: usize,
}

/// Where the body of a frame goes.
#[derive(Debug, Default)]
pub(super) struct Room {
    pub(super) buffer: Vec<u8>,
    /// Bytes that come; not more than the buffer has.
    pub(super) length: usize,
}

#[derive(Debug)]
pub(super) enum Progress {
    /// A frame; its body is at the beginning of the buffer.
    Frame(Head, Vec<u8>),
    TimedOut,
    /// The other side cut the connection.
    Cut,
}

/// The other side broke the rules, or the system failed.
#[derive(Debug)]
pub(super) enum FrameError {
    Rule(String),
    Io(io::Error),
}

impl FrameReader {
    /// The next frame. `accept` checks its head and gives room for its body.
    pub(super) fn next(
        &mut self,
        socket: &Socket,
        deadline: Deadline,
        accept: impl FnOnce(&Head) -> Result<Room, String>,
    ) -> Result<Progress, FrameError> {
        let mut body = match self.body.take() {
            Some(body) => body,
            None => match self.next_head(socket, deadline)? {
                Ok(head) => {
                    let room = accept(&head).map_err(FrameError::Rule)?;
                    let have = 0;
                    Body { head, room, have }
                }
                Err(progress) => return Ok(progress),
            },
        };
        let length = body.room.length;
        if length > body.room.buffer.len() {
            return Err(FrameError::Rule(format!("a body of {length} bytes")));
        }
        while body.have < length {
            let room = body
                .room
                .buffer
                .get_mut(body.have..length)
                .unwrap_or_default();
            match self.ahead.receive(socket, room, deadline)? {
                None => {
                    self.body = Some(body);
                    return Ok(Progress::TimedOut);
                }
                Some(0) => return Ok(Progress::Cut),
                Some(count) => body.have += count,
            }
        }
        Ok(Progress::Frame(body.head, body.room.buffer))
    }

    fn next_head(
        &mut self,
        socket: &Socket,
        deadline: Deadline,
    ) -> Result<Result<Head, Progress>, FrameError> {
        while let Some(room) = self
            .head
            .get_mut(self.have..)
            .filter(|room| !room.is_empty())
        {
            match self.ahead.receive(socket, room, deadline)? {
                None => return Ok(Err(Progress::TimedOut)),
                Some(0) => return Ok(Err(Progress::Cut)),
                Some(count) => self.have += count,
            }
        }
        self.have = 0;
        Head::decode(&self.head).map(Ok).map_err(FrameError::Rule)
    }
}

impl Default for Ahead {
    fn default() -> Self {
        Self {
            bytes: [0; AHEAD],
            from: 0,
            until: 0,
        }
    }
}

impl Ahead {
    /// Some bytes, from here or from the socket.
    fn receive(
        &mut self,
        socket: &Socket,
        room: &mut [u8],
        deadline: Deadline,
    ) -> Result<Option<usize>, FrameError> {
        if self.from == self.until {
            if room.len() >= AHEAD {
                return receive(socket, room, deadline);
            }
            match receive(socket, &mut self.bytes, deadline)? {
                Some(count) if count > 0 => (self.from, self.until) = (0, count),
                none => return Ok(none),
            }
        }
        let here = self.bytes.get(self.from..self.until).unwrap_or_default();
        let count = here.len().min(room.len());
        for (to, from) in room.iter_mut().zip(here) {
            *to = *from;
        }
        self.from += count;
        Ok(Some(count))
    }
}

/// A reset is how the death of the other side looks when it had not read everything.
pub(super) fn receive(
    socket: &Socket,
    room: &mut [u8],
    deadline: Deadline,
) -> Result<Option<usize>, FrameError> {
    match socket.receive(room, deadline) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(Some(0)),
        result => result.map_err(FrameError::Io),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::effort::cases;

    const HEAD_OF_WRITE: Head = Head {
        kind: Kind::Command,
        code: 2,
        size: 5,
        body: 5,
        ticket: 7,
    };

    fn at_once() -> Deadline {
        Deadline::after(Some(Duration::ZERO))
    }

    fn never() -> Deadline {
        Deadline::after(None)
    }

    /// Eight bytes for any body.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "it stands for checks that can fail"
    )]
    fn room(head: &Head) -> Result<Room, String> {
        let buffer = vec![0; 8];
        let length = usize::try_from(head.body).unwrap_or(usize::MAX);
        Ok(Room { buffer, length })
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn a_head_is_decoded_as_it_was_encoded(
            kind in prop_oneof![Just(Kind::Command), Just(Kind::Close), Just(Kind::Completion)],
            code: u32, size: u32, body: u32, ticket: u64,
        ) {
            let head = Head { kind, code, size, body, ticket };
            prop_assert_eq!(Head::decode(&head.encode()), Ok(head));
            prop_assert_eq!(Head::from_words(head.words()), Ok(head));
        }

        #[test]
        fn any_bytes_are_a_head_or_an_error(bytes: [u8; HEAD]) {
            if let Ok(head) = Head::decode(&bytes) {
                prop_assert_eq!(head.encode(), bytes);
            }
        }
    }

    #[test]
    fn a_frame_that_comes_byte_by_byte_is_put_together() {
        let (far, near) = Socket::pair().unwrap();
        let mut reader = FrameReader::default();
        let frame = [&HEAD_OF_WRITE.encode()[..], b"hello"].concat();
        for byte in &frame {
            let progress = reader.next(&near, at_once(), room).unwrap();
            assert!(matches!(progress, Progress::TimedOut));
            far.send(&[*byte], &[], never()).unwrap();
        }
        let progress = reader.next(&near, at_once(), room).unwrap();
        let Progress::Frame(head, buffer) = progress else {
            panic!("{progress:?}")
        };
        assert_eq!((head, &buffer[..5]), (HEAD_OF_WRITE, &b"hello"[..]));
    }

    #[test]
    fn a_body_beyond_its_buffer_is_refused_before_it_is_read() {
        let (far, near) = Socket::pair().unwrap();
        let head = Head {
            body: u32::MAX,
            ..HEAD_OF_WRITE
        };
        far.send(&head.encode(), &[], never()).unwrap();
        let mut reader = FrameReader::default();
        let result = reader.next(&near, at_once(), room);
        assert!(matches!(result, Err(FrameError::Rule(_))));
    }

    #[test]
    fn a_connection_cut_in_the_middle_of_a_frame_is_cut() {
        let (far, near) = Socket::pair().unwrap();
        far.send(&HEAD_OF_WRITE.encode(), &[], never()).unwrap();
        far.send(b"hel", &[], never()).unwrap();
        drop(far);
        let mut reader = FrameReader::default();
        let result = reader.next(&near, at_once(), room);
        assert!(matches!(result, Ok(Progress::Cut)));
    }
}
