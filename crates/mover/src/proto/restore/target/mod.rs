mod event;
mod stream;

use std::collections::VecDeque;

use uuid::Uuid;

pub use self::event::Event;

use self::stream::Stream;
use crate::Block;
use crate::proto::control::Control;
use crate::proto::frame::Frame;
use crate::proto::liveness::{Due, Liveness, LivenessConfig};
use crate::proto::moment::Moment;
use crate::proto::position::Position;
use crate::proto::streams::Streams;
use crate::proto::violation::Violation;

/// The target's side of one restore on one connection. A source that lost its connection opens
/// the session anew, from where it got to.
#[derive(Debug)]
pub struct Target {
    session: Uuid,
    streams: Streams<Stream>,
    ahead: u64,
    over: bool,
    liveness: Liveness,
    control: VecDeque<Control>,
    events: VecDeque<Event>,
}

impl Target {
    /// A session that is read on an open connection. `from`: the first block wanted of each
    /// stream; empty for all from the start.
    ///
    /// # Errors
    /// A [`Violation`] if `from` does not fit the streams.
    pub fn new(
        liveness: LivenessConfig,
        session: Uuid,
        totals: &[Position],
        from: &[u64],
        now: Moment,
    ) -> Result<Self, Violation> {
        let count = totals.len();
        if !(from.is_empty() || from.len() == count) {
            return Err(Violation::Streams {
                streams: from.len(),
            });
        }
        let mut streams = Vec::with_capacity(count);
        for ((stream, total), index) in (0_u16..).zip(totals).zip(0_usize..) {
            let start = from.get(index).copied().unwrap_or_default();
            if start > total.blocks {
                return Err(Violation::Acknowledged {
                    stream,
                    blocks: start,
                    low: 0,
                    high: total.blocks,
                });
            }
            streams.push(Stream::new(total.blocks, start));
        }
        let opened = Control::Opened {
            session: session.into_bytes(),
            streams: totals.to_vec(),
            keys: Vec::new(),
        };
        Ok(Self {
            session,
            streams: Streams::new(streams)?,
            // With many streams one block each is enough to keep the reader busy.
            ahead: if count <= 8 { 2 } else { 1 },
            over: false,
            liveness: Liveness::new(liveness, now),
            control: VecDeque::from([opened]),
            events: VecDeque::new(),
        })
    }

    /// The session is encrypted; these are the packed key slots of its file. Called before
    /// anything else.
    #[must_use]
    pub fn sealed(mut self, slots: Vec<u8>) -> Self {
        if let Some(Control::Opened { keys, .. }) = self.control.front_mut() {
            *keys = slots;
        }
        self
    }

    /// Bytes came, though no whole frame.
    pub fn heard(&mut self, now: Moment) {
        self.liveness.heard(now);
    }

    /// A frame came.
    pub fn handle(&mut self, now: Moment, frame: Frame) {
        self.heard(now);
        if self.over {
            return;
        }
        let outcome = match frame {
            Frame::Block(_) => Err(Violation::unexpected("Block", "sending a restore")),
            Frame::Control(control) => self.handle_control(control),
        };
        if let Err(violation) = outcome {
            self.fail(format!(
                "the source does not keep to the protocol: {violation}"
            ));
        }
        self.ask();
    }

    /// A block that was asked for.
    pub fn loaded(&mut self, block: Block) {
        if self.over {
            return;
        }
        let (session, stream) = (block.header.session, block.header.stream);
        let got = block.header.sequence;
        let Ok(at) = self.streams.at(stream) else {
            self.fail("the store gave a block of a stream that was not asked for".to_owned());
            return;
        };
        let outcome = if session == self.session {
            at.loaded(block)
        } else {
            Err(at.due())
        };
        if let Err(due) = outcome {
            self.fail(format!(
                "the store gave block {got} of session {session} where block {due} of stream {stream} was due"
            ));
        }
    }

    /// The session cannot go on.
    pub fn fail(&mut self, reason: String) {
        if self.over {
            return;
        }
        self.control.clear();
        self.control.push_back(Control::abort(&reason));
        self.end(Some(reason));
    }

    /// The next frame to send.
    pub fn poll_transmit(&mut self) -> Option<Frame> {
        if let Some(control) = self.control.pop_front() {
            return Some(control.into());
        }
        if self.over {
            return None;
        }
        let block = self.streams.next_turn(Stream::transmit)?;
        self.ask();
        Some(Frame::Block(block))
    }

    /// Whether [`Self::poll_transmit`] has something.
    pub fn wants_transmit(&self) -> bool {
        !self.control.is_empty() || (!self.over && self.streams.iter().any(Stream::ready))
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`Self::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Moment> {
        if self.over {
            None
        } else {
            Some(self.liveness.timeout())
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Moment) {
        if self.over {
            return;
        }
        match self.liveness.due(now) {
            Due::Nothing => {}
            Due::Ping(nonce) => self.control.push_back(Control::Ping { nonce }),
            Due::Broken => {
                self.control.clear();
                self.end(Some("the source has been silent for too long".to_owned()));
            }
        }
    }

    fn handle_control(&mut self, control: Control) -> Result<(), Violation> {
        match control {
            Control::Ping { nonce } => self.control.push_back(Control::Pong { nonce }),
            Control::Pong { .. } => {}
            Control::Credit { stream, limit } => {
                self.streams.at(stream)?.raise(limit);
            }
            Control::Close => self.end(None),
            Control::Abort { reason } => self.end(Some(format!("ended by the source: {reason}"))),
            other => return Err(Violation::unexpected(other.name(), "sending a restore")),
        }
        Ok(())
    }

    fn ask(&mut self) {
        if self.over {
            return;
        }
        for (stream, at) in self.streams.numbered_mut() {
            while let Some(sequence) = at.ask(self.ahead) {
                self.events.push_back(Event::Read { stream, sequence });
            }
        }
    }

    fn end(&mut self, reason: Option<String>) {
        self.over = true;
        self.events
            .retain(|event| !matches!(event, Event::Read { .. }));
        self.events.push_back(Event::Over { reason });
    }
}
