//! An engine's device at the end of a connection.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::buffer::Buffer;
use crate::clock::Deadline;
use crate::code::{CommandCode, CompletionCode};
use crate::configuration::Configuration;
use crate::error::EngineError;
use crate::pipe::frame::{FrameError, Head, Kind, Progress, Room};
use crate::pipe::line::Line;
use crate::pipe::memory::{Part, Slots};
use crate::pipe::session::Session;
use crate::pipe::sys::Socket;
use crate::seam::{Completion, EngineDeviceLink, RawCommand, Ticket};

#[derive(Debug)]
pub(super) struct Device {
    session: Arc<Session>,
    index: usize,
    max_transfer: usize,
    /// How long the client may leave what is sent to it in the socket.
    limit: Option<Duration>,
    line: Line,
    desk: Desk,
}

/// What is known about the outstanding commands.
#[derive(Debug, Default)]
struct Desk {
    sent: Vec<Sent>,
    /// Buffers to use again.
    free: Vec<Vec<u8>>,
    /// Where the data is, if both sides share memory.
    slots: Option<Slots>,
}

#[derive(Debug)]
struct Sent {
    ticket: u64,
    code: CommandCode,
    size: usize,
    /// Where the bytes of a read go.
    buffer: Vec<u8>,
    /// The slot that the client has meanwhile.
    slot: Option<u32>,
}

impl Device {
    pub(super) fn new(
        session: Arc<Session>,
        index: usize,
        agreed: &Configuration,
        limit: Option<Duration>,
        memory: Option<Part>,
    ) -> Self {
        let (slots, board) = memory.map(|part| (part.slots, part.board)).unzip();
        Self {
            session,
            index,
            max_transfer: agreed.geometry.max_len(),
            limit,
            line: Line::new(board),
            desk: Desk {
                slots,
                ..Desk::default()
            },
        }
    }

    fn socket(&self) -> Result<&Arc<Socket>, EngineError> {
        self.session.device(self.index).ok_or(EngineError::Aborted)
    }

    fn send(&mut self, head: Head, body: &[u8]) -> Result<(), EngineError> {
        // The connections of a set are cut one after the other. Nothing is said, least of all that
        // all is well, on one whose turn has not come.
        if let Some(fate) = self.session.fate() {
            return Err(fate.for_engine());
        }
        let is_last = head.kind == Kind::Close;
        let deadline = Deadline::after(self.limit);
        let socket = self
            .session
            .device(self.index)
            .ok_or(EngineError::Aborted)?;
        let sent = self.line.send(socket, head, body, is_last, deadline);
        sent.map_err(|error| self.io_error("sending a command", error))
    }

    fn io_error(&self, action: &'static str, error: io::Error) -> EngineError {
        use io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected, TimedOut};
        match error.kind() {
            BrokenPipe | ConnectionReset | NotConnected => self.session.cut_off().for_engine(),
            TimedOut => EngineError::Timeout {
                limit: self.limit.unwrap_or_default(),
            },
            _ => EngineError::Io {
                action,
                error: Arc::new(error),
            },
        }
    }
}

impl EngineDeviceLink for Device {
    fn buffer(&mut self, _timeout: Option<Duration>) -> Result<Buffer, EngineError> {
        if let Some(slots) = &mut self.desk.slots {
            // There are as many slots as commands may be outstanding, so one is free.
            return slots.take().ok_or_else(|| EngineError::Protocol {
                reason: "it holds every slot of the device".into(),
            });
        }
        let free = self.desk.free.pop();
        let buffer = free.unwrap_or_else(|| vec![0; self.max_transfer]);
        Ok(Buffer::Owned(buffer))
    }

    fn recycle(&mut self, buffer: Buffer) {
        self.desk.recycle(buffer);
    }

    fn submit(&mut self, command: RawCommand) -> Result<(), EngineError> {
        let ticket = command.ticket.number().unwrap_or_default();
        let RawCommand {
            code,
            size,
            mut buffer,
            ..
        } = command;
        let slot = match &mut self.desk.slots {
            Some(slots) if !matches!(buffer, Buffer::None) => {
                slots.lend(std::mem::take(&mut buffer))
            }
            _ => None,
        };
        let body = match buffer.bytes().get(..size) {
            Some(body) if code == CommandCode::WRITE => body,
            _ => &[],
        };
        let number = |count| u32::try_from(count).unwrap_or(u32::MAX);
        let head = Head {
            kind: Kind::Command,
            code: code.0,
            size: number(size),
            body: slot.unwrap_or_else(|| number(body.len())),
            ticket,
        };
        self.send(head, body)?;
        let mut sent = Sent {
            ticket,
            code,
            size,
            buffer: Vec::new(),
            slot,
        };
        if let Buffer::Owned(buffer) = buffer {
            if code == CommandCode::READ {
                sent.buffer = buffer;
            } else {
                // What was written is in the socket; the buffer is free.
                self.desk.free.push(buffer);
            }
        }
        self.desk.sent.push(sent);
        Ok(())
    }

    fn reap(&mut self, timeout: Option<Duration>) -> Result<Option<Completion>, EngineError> {
        let socket = Arc::clone(self.socket()?);
        let (line, desk) = (&mut self.line, &mut self.desk);
        match line.next(&socket, Deadline::after(timeout), |head| desk.accept(head)) {
            Ok(Progress::Frame(head, buffer)) => desk.settle(head, buffer).map(Some),
            Ok(Progress::TimedOut) => Ok(None),
            Ok(Progress::Cut) => Err(self.session.cut_off().for_engine()),
            Err(FrameError::Rule(reason)) => Err(EngineError::Protocol { reason }),
            Err(FrameError::Io(error)) => Err(self.io_error("waiting for a completion", error)),
        }
    }

    fn close(&mut self) -> Result<(), EngineError> {
        self.send(
            Head {
                kind: Kind::Close,
                code: 0,
                size: 0,
                body: 0,
                ticket: 0,
            },
            &[],
        )
    }
}

impl Desk {
    /// Checks what comes, and gives room for its body.
    fn accept(&mut self, head: &Head) -> Result<Room, String> {
        if head.kind != Kind::Completion {
            return Err("a frame that only an engine sends".into());
        }
        let Some(sent) = self.sent.iter_mut().find(|sent| sent.ticket == head.ticket) else {
            return Err("it completed a command that is not outstanding".into());
        };
        let (bytes, body) = (number(head.size), number(head.body));
        let through_socket = sent.code == CommandCode::READ && sent.slot.is_none();
        let expected = if through_socket { bytes } else { 0 };
        if bytes > sent.size || body != expected {
            let (code, size) = (sent.code, sent.size);
            return Err(format!(
                "a {code} command of {size} bytes completed with {bytes} and a body of {body}"
            ));
        }
        let buffer = std::mem::take(&mut sent.buffer);
        Ok(Room {
            buffer,
            length: body,
        })
    }

    fn recycle(&mut self, buffer: Buffer) {
        match (buffer, &mut self.slots) {
            (Buffer::Owned(buffer), _) => self.free.push(buffer),
            (buffer, Some(slots)) => slots.free(buffer),
            _ => {}
        }
    }

    fn settle(&mut self, head: Head, buffer: Vec<u8>) -> Result<Completion, EngineError> {
        let mut sent = self.sent.iter();
        let Some(index) = sent.position(|sent| sent.ticket == head.ticket) else {
            let reason = "it completed a command that is not outstanding".into();
            return Err(EngineError::Protocol { reason });
        };
        let Sent {
            code: command,
            slot,
            ..
        } = self.sent.swap_remove(index);
        let buffer = match (slot, &mut self.slots) {
            (Some(slot), Some(slots)) => slots.take_back(slot).unwrap_or_default(),
            _ if command == CommandCode::READ => Buffer::Owned(buffer),
            _ => Buffer::None,
        };
        Ok(Completion {
            ticket: Ticket::Number(head.ticket),
            command,
            code: CompletionCode(head.code),
            bytes: number(head.size),
            buffer,
        })
    }
}

fn number(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
