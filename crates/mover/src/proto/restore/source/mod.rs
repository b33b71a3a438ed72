mod event;
mod opening;
mod stream;

use std::collections::VecDeque;

use uuid::Uuid;

pub use self::event::Event;

use self::stream::Stream;
use crate::Block;
use crate::proto::control::Control;
use crate::proto::failure::Failure;
use crate::proto::frame::Frame;
use crate::proto::link::{Link, SourceConfig, Wake};
use crate::proto::moment::Moment;
use crate::proto::streams::Streams;
use crate::proto::violation::Violation;

/// The source's side of one restore, over any number of connections.
///
/// Use it as [`backup::Source`](crate::proto::backup::Source).
#[derive(Debug)]
pub struct Source {
    request: Vec<u8>,
    memory: u64,
    session: Option<Uuid>,
    /// Its blocks are encrypted.
    sealed: bool,
    streams: Streams<Stream>,
    link: Link,
    over: bool,
    events: VecDeque<Event>,
}

impl Source {
    /// A restore about to begin over a connection that is open and greeted. `memory`: bytes that
    /// may be received and not consumed, over all streams; each stream may go over its share by a
    /// block.
    pub fn new(config: SourceConfig, request: Vec<u8>, memory: u64, now: Moment) -> Self {
        let mut source = Self {
            request,
            memory,
            session: None,
            sealed: false,
            streams: Streams::none(),
            link: Link::new(config),
            over: false,
            events: VecDeque::new(),
        };
        source.connected(now);
        source
    }

    /// A connection is open and greeted.
    pub fn connected(&mut self, now: Moment) {
        if !self.link.is_connecting() {
            return;
        }
        let opening = Control::Open {
            request: self.request.clone(),
            from: self.streams.iter().map(Stream::next).collect(),
        };
        self.link.connected(now, opening);
    }

    /// A connection could not be opened.
    pub fn connect_failed(&mut self, now: Moment, cause: &str) {
        self.link.connect_failed(now, cause);
    }

    /// The connection broke, or brought bytes that are no frames.
    pub fn disconnected(&mut self, now: Moment, cause: &str) {
        if !self.link.is_open() {
            return;
        }
        if self.session.is_none() {
            self.fail(Failure::LostBeforeBegin {
                cause: cause.to_owned(),
            });
        } else if self.link.lost(now, cause) {
            self.events.push_back(Event::Lost {
                cause: cause.to_owned(),
            });
        } else {
            self.give_up(now);
        }
    }

    /// Bytes came, though no whole frame.
    pub fn heard(&mut self, now: Moment) {
        self.link.heard(now);
    }

    /// A block of `stored_length` bytes is no longer held.
    pub fn consumed(&mut self, stream: u16, stored_length: u32) {
        let Ok(at) = self.streams.at(stream) else {
            return;
        };
        at.consumed(stored_length);
        if self.link.is_up()
            && let Some(limit) = at.more_credit()
        {
            self.link.say(Control::Credit { stream, limit });
        }
    }

    /// The restore is done, or is wanted no more: says goodbye to the target.
    pub fn close(&mut self) {
        if self.over {
            return;
        }
        self.over = true;
        self.link.say_last(Control::Close);
    }

    /// A frame came.
    pub fn handle(&mut self, now: Moment, frame: Frame) {
        self.heard(now);
        if self.over {
            return;
        }
        let outcome = match frame {
            Frame::Block(block) if self.link.is_up() => self.handle_block(block),
            Frame::Block(_) if self.link.is_opening() => {
                Err(Violation::unexpected("Block", "opening a session"))
            }
            Frame::Control(control) if self.link.is_opening() => self.handle_opening(now, control),
            Frame::Control(control) if self.link.is_up() => self.handle_up(control),
            _ => Ok(()),
        };
        if let Err(violation) = outcome {
            self.fail(violation.into());
        }
    }

    /// The next frame to send.
    pub fn poll_transmit(&mut self) -> Option<Frame> {
        self.link.poll_transmit()
    }

    /// Whether [`Self::poll_transmit`] has something.
    pub fn wants_transmit(&self) -> bool {
        self.link.wants_transmit()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`Self::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Moment> {
        if self.over {
            return None;
        }
        self.link.poll_timeout()
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Moment) {
        if self.over {
            return;
        }
        match self.link.wake(now) {
            Wake::Nothing => {}
            Wake::GiveUp => self.give_up(now),
            Wake::Dial => self.events.push_back(Event::Connect),
            Wake::Silent => {
                self.events.push_back(Event::Disconnect);
                self.disconnected(now, "the target has been silent for too long");
            }
        }
    }

    /// Whether the session is over, one way or the other.
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// Payload bytes that arrived and are not consumed.
    pub fn held_bytes(&self) -> u64 {
        self.streams.iter().map(Stream::held).sum()
    }

    fn handle_up(&mut self, control: Control) -> Result<(), Violation> {
        match control {
            Control::Ping { nonce } => self.link.say(Control::Pong { nonce }),
            Control::Pong { .. } => {}
            Control::Abort { reason } => self.fail(Failure::ByTarget { reason }),
            other => return Err(Violation::unexpected(other.name(), "receiving a restore")),
        }
        Ok(())
    }

    fn handle_block(&mut self, block: Block) -> Result<(), Violation> {
        let header = &block.header;
        let expected = self.session.unwrap_or_default();
        if header.session != expected {
            return Err(Violation::Session {
                expected,
                got: header.session,
            });
        }
        let stream = header.stream;
        let at = self.streams.at(stream)?;
        at.block(header, self.sealed)?;
        let ended = at.ended();
        self.events.push_back(Event::Block(block));
        if ended {
            self.events.push_back(Event::StreamEnded { stream });
        }
        Ok(())
    }

    fn give_up(&mut self, now: Moment) {
        let outage = self.link.outage(now);
        let cause = self.link.take_cause();
        self.fail(Failure::GaveUp { outage, cause });
    }

    fn fail(&mut self, failure: Failure) {
        self.over = true;
        if self.link.failed(&failure) {
            self.events.push_back(Event::Disconnect);
        }
        self.events.push_back(Event::Failed(failure));
    }
}
