//! A client's device at the end of a connection.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::buffer::Buffer;
use crate::clock::Deadline;
use crate::code::CommandCode;
use crate::configuration::Configuration;
use crate::error::DeviceError;
use crate::pipe::frame::{FrameError, Head, Kind, Progress, Room};
use crate::pipe::line::Line;
use crate::pipe::memory::{Part, Slots};
use crate::pipe::session::Session;
use crate::pipe::sys::Socket;
use crate::seam::{ClientDeviceLink, Completion, RawCommand, Received, Ticket};

#[derive(Debug)]
pub(super) struct ClientDevice {
    session: Arc<Session>,
    index: usize,
    state: RefCell<State>,
}

#[derive(Debug)]
struct State {
    line: Line,
    desk: Desk,
}

/// What is known about the outstanding commands.
#[derive(Debug)]
struct Desk {
    max_transfer: usize,
    depth: usize,
    outstanding: usize,
    /// Buffers to use again.
    free: Vec<Vec<u8>>,
    /// Where the data is, if both sides share memory.
    slots: Option<Slots>,
}

impl ClientDevice {
    pub(super) fn new(
        session: Arc<Session>,
        index: usize,
        agreed: &Configuration,
        memory: Option<Part>,
    ) -> Self {
        let (slots, board) = memory.map(|part| (part.slots, part.board)).unzip();
        let depth = usize::try_from(agreed.depth).unwrap_or(usize::MAX);
        let desk = Desk {
            max_transfer: agreed.geometry.max_len(),
            depth,
            outstanding: 0,
            free: Vec::new(),
            slots,
        };
        let line = Line::new(board);
        Self {
            session,
            index,
            state: RefCell::new(State { line, desk }),
        }
    }

    fn socket(&self) -> Result<&Socket, DeviceError> {
        let socket = self.session.device(self.index);
        Ok(socket.ok_or(DeviceError::Aborted)?)
    }

    fn io_error(&self, action: &'static str, error: io::Error) -> DeviceError {
        use io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected};
        match error.kind() {
            BrokenPipe | ConnectionReset | NotConnected => self.session.cut_off().for_client(),
            _ => DeviceError::Io {
                action,
                error: Arc::new(error),
            },
        }
    }
}

impl ClientDeviceLink for ClientDevice {
    fn receive(&self, timeout: Option<Duration>) -> Result<Received, DeviceError> {
        let state = &mut *self.state.borrow_mut();
        let (line, desk) = (&mut state.line, &mut state.desk);
        let deadline = Deadline::after(timeout);
        match line.next(self.socket()?, deadline, |head| desk.accept(head)) {
            Ok(Progress::Frame(head, _)) if head.kind == Kind::Close => Ok(Received::Ended),
            Ok(Progress::Frame(head, buffer)) => match self.session.fate() {
                None => desk.hand_out(head, buffer).map(Received::Command),
                // What came before the end of the set is not to be served any more.
                Some(fate) => Err(fate.for_client()),
            },
            Ok(Progress::TimedOut) => Ok(Received::TimedOut),
            Ok(Progress::Cut) => Err(self.session.cut_off().for_client()),
            Err(FrameError::Rule(reason)) => Err(DeviceError::Protocol { reason }),
            Err(FrameError::Io(error)) => Err(self.io_error("receiving a command", error)),
        }
    }

    fn complete(&self, completion: Completion) -> Result<(), DeviceError> {
        if let Some(fate) = self.session.fate() {
            return Err(fate.for_client());
        }
        let read = completion.command == CommandCode::READ;
        let body = match &completion.buffer {
            Buffer::Owned(buffer) if read => buffer.get(..completion.bytes).unwrap_or_default(),
            _ => &[],
        };
        let number = |count| u32::try_from(count).unwrap_or(u32::MAX);
        let head = Head {
            kind: Kind::Completion,
            code: completion.code.0,
            size: number(completion.bytes),
            body: number(body.len()),
            ticket: completion.ticket.number().unwrap_or_default(),
        };
        // Whoever made something durable wants to know whether that was still wanted.
        let is_last_word = !has_data(completion.command) || !completion.code.is_success();
        let (socket, never) = (self.socket()?, Deadline::after(None));
        let state = &mut *self.state.borrow_mut();
        let (line, desk) = (&mut state.line, &mut state.desk);
        let sent = if body.is_empty() {
            // The slot is given back before the other side hears of it and may use it again.
            desk.take_back(completion.buffer);
            line.send(socket, head, &[], is_last_word, never)
        } else {
            let sent = line.send(socket, head, body, is_last_word, never);
            desk.take_back(completion.buffer);
            sent
        };
        sent.map_err(|error| self.io_error("completing a command", error))
    }
}

impl Desk {
    /// Checks what comes, and gives room for its body.
    fn accept(&mut self, head: &Head) -> Result<Room, String> {
        let (size, body) = (number(head.size), number(head.body));
        match head.kind {
            Kind::Completion => return Err("a completion from the engine".into()),
            Kind::Close if self.outstanding > 0 => {
                return Err("a close while commands are outstanding".into());
            }
            Kind::Close => return Ok(Room::default()),
            Kind::Command => {}
        }
        if self.outstanding >= self.depth {
            return Err(format!("more than {} outstanding commands", self.depth));
        }
        let code = CommandCode(head.code);
        if has_data(code) && size > self.max_transfer {
            return Err(format!("a {code} command of {size} bytes"));
        }
        if has_data(code) && self.slots.is_some() {
            return Ok(Room::default());
        }
        let length = if code == CommandCode::WRITE { size } else { 0 };
        if body != length {
            return Err(format!(
                "a {code} command of {size} bytes with a body of {body}"
            ));
        }
        if !has_data(code) {
            return Ok(Room::default());
        }
        let free = self.free.pop();
        let buffer = free.unwrap_or_else(|| vec![0; self.max_transfer]);
        Ok(Room { buffer, length })
    }

    fn hand_out(&mut self, head: Head, buffer: Vec<u8>) -> Result<RawCommand, DeviceError> {
        let code = CommandCode(head.code);
        let ticket = Ticket::Number(head.ticket);
        let (size, buffer) = match &mut self.slots {
            _ if !has_data(code) => (0, Buffer::None),
            None => (number(head.size), Buffer::Owned(buffer)),
            Some(slots) => {
                let size = number(head.size);
                let Some(buffer) = slots.claim(head.body, size) else {
                    let reason =
                        format!("a {code} command in slot {}, which is not free", head.body);
                    return Err(DeviceError::Protocol { reason });
                };
                (size, buffer)
            }
        };
        self.outstanding += 1;
        Ok(RawCommand {
            code,
            size,
            ticket,
            buffer,
        })
    }

    fn take_back(&mut self, buffer: Buffer) {
        self.outstanding = self.outstanding.saturating_sub(1);
        match (buffer, &mut self.slots) {
            (Buffer::Owned(buffer), _) => self.free.push(buffer),
            (buffer, Some(slots)) => slots.free(buffer),
            _ => {}
        }
    }
}

fn has_data(code: CommandCode) -> bool {
    matches!(code, CommandCode::READ | CommandCode::WRITE)
}

fn number(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::code::{CompletionCode, Features};
    use crate::configuration::Direction;
    use crate::geometry::Geometry;

    const AGREED: Configuration = Configuration {
        geometry: match Geometry::new(512, 65_536) {
            Ok(geometry) => geometry,
            Err(_) => unreachable!(),
        },
        direction: Direction::Backup,
        complete_enabled: true,
        features: Features::WRITE_MEDIA,
        depth: 2,
        buffer_area: 0,
    };

    /// A device whose engine sent these bytes and died.
    fn device_with(bytes: &[u8]) -> ClientDevice {
        let (control, _) = Socket::pair().unwrap();
        let (near, far) = Socket::pair().unwrap();
        far.send(bytes, &[], Deadline::after(None)).unwrap();
        let devices = vec![Arc::new(near)];
        let session = Session::new(Arc::new(control), devices);
        ClientDevice::new(Arc::new(session), 0, &AGREED, None)
    }

    fn command(code: u32, size: u32, body: u32) -> [u8; crate::pipe::frame::HEAD] {
        let kind = Kind::Command;
        Head {
            kind,
            code,
            size,
            body,
            ticket: 1,
        }
        .encode()
    }

    fn refused(bytes: &[u8]) -> bool {
        let device = device_with(bytes);
        matches!(device.receive(None), Err(DeviceError::Protocol { .. }))
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_an_error(
            heads in vec((1_u32..22, 0_u32..3000, 0_u32..3000), 0..4),
            rest in vec(any::<u8>(), 0..6000),
        ) {
            let heads = heads.into_iter().flat_map(|(code, size, body)| command(code, size, body));
            let device = device_with(&heads.chain(rest).collect::<Vec<_>>());
            // Every command takes a head, so there is an end.
            let end = (0..300).find_map(|_| match device.receive(None) {
                Ok(Received::Command(raw)) => {
                    assert!(raw.size <= 65_536);
                    let RawCommand { code: command, ticket, buffer, .. } = raw;
                    let code = CompletionCode::SUCCESS;
                    // The engine is gone, so this fails.
                    let completion = Completion { ticket, command, code, bytes: 0, buffer };
                    assert!(device.complete(completion).is_err());
                    None
                }
                Ok(other) => Some(matches!(other, Received::Ended)),
                Err(_) => Some(true),
            });
            prop_assert_eq!(end, Some(true));
        }
    }

    #[test]
    fn sizes_beyond_the_limits_are_refused_before_memory_is_taken() {
        assert!(refused(&command(2, u32::MAX, u32::MAX)));
        assert!(refused(&command(1, 65_537, 0)));
        assert!(refused(&command(2, 512, 511)));
        assert!(refused(&command(12, 0, 512)));
    }

    #[test]
    fn more_commands_than_agreed_are_refused() {
        let device = device_with(&command(1, 512, 0).repeat(3));
        let held: Vec<_> = (0..2).map(|_| device.receive(None).unwrap()).collect();
        assert!(matches!(
            device.receive(None),
            Err(DeviceError::Protocol { .. })
        ));
        drop(held);
    }
}
