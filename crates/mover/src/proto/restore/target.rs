use std::collections::VecDeque;

use uuid::Uuid;

use crate::Block;
use crate::proto::control::{Control, MAX_STREAMS};
use crate::proto::frame::Frame;
use crate::proto::liveness::{Due, Liveness, LivenessConfig};
use crate::proto::moment::Moment;
use crate::proto::position::Position;
use crate::proto::violation::Violation;
use crate::proto::window::SendWindow;

/// What the driver of a [`Target`] has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Read a block, then call [`Target::loaded`]. The reads of one stream end in order.
    Read {
        /// The stream.
        stream: u16,
        /// The block.
        sequence: u64,
    },
    /// Nothing more will come; close the connection once everything is sent.
    Over {
        /// Why, if it was not the source that closed.
        reason: Option<String>,
    },
}

#[derive(Debug)]
struct Stream {
    total: u64,
    /// Next block to ask the store for.
    ask: u64,
    /// Next block to send.
    send: u64,
    loaded: VecDeque<Block>,
    window: SendWindow,
}

/// The target's side of one restore on one connection. A source that lost its connection opens
/// the session anew, from where it got to.
#[derive(Debug)]
pub struct Target {
    session: Uuid,
    streams: Vec<Stream>,
    ahead: u64,
    turn: usize,
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
        if count == 0
            || count > usize::from(MAX_STREAMS)
            || !(from.is_empty() || from.len() == count)
        {
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
            streams.push(Stream {
                total: total.blocks,
                ask: start,
                send: start,
                loaded: VecDeque::new(),
                window: SendWindow::default(),
            });
        }
        let opened = Control::Opened {
            session: session.into_bytes(),
            streams: totals.to_vec(),
            keys: Vec::new(),
        };
        Ok(Self {
            session,
            streams,
            // With many streams one block each is enough to keep the reader busy.
            ahead: if count <= 8 { 2 } else { 1 },
            turn: 0,
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
            Frame::Block(_) => Err(unexpected("Block", "sending a restore")),
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
        let header = &block.header;
        let session = self.session;
        let Some(at) = self.streams.get_mut(usize::from(header.stream)) else {
            self.fail("the store gave a block of a stream that was not asked for".to_owned());
            return;
        };
        let due = at
            .send
            .saturating_add(u64::try_from(at.loaded.len()).unwrap_or(u64::MAX));
        if header.session != session || header.sequence != due || due >= at.ask {
            let (stream, got) = (header.stream, header.sequence);
            self.fail(format!(
                "the store gave block {got} of session {} where block {due} of stream {stream} was due",
                block.header.session
            ));
            return;
        }
        at.loaded.push_back(block);
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
        let count = self.streams.len();
        for step in 0..count {
            let index = (self.turn + step) % count;
            let Some(at) = self.streams.get_mut(index) else {
                continue;
            };
            if at.window.open()
                && let Some(block) = at.loaded.pop_front()
            {
                at.window.sent(block.header.stored_length);
                at.send = at.send.saturating_add(1);
                self.turn = (index + 1) % count;
                self.ask();
                return Some(Frame::Block(block));
            }
        }
        None
    }

    /// Whether [`Self::poll_transmit`] has something.
    pub fn wants_transmit(&self) -> bool {
        !self.control.is_empty()
            || (!self.over
                && self
                    .streams
                    .iter()
                    .any(|at| at.window.open() && !at.loaded.is_empty()))
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
                let streams = self.streams.len();
                self.streams
                    .get_mut(usize::from(stream))
                    .ok_or(Violation::Stream { stream, streams })?
                    .window
                    .raise(limit);
            }
            Control::Close => self.end(None),
            Control::Abort { reason } => self.end(Some(format!("ended by the source: {reason}"))),
            other => return Err(unexpected(other.name(), "sending a restore")),
        }
        Ok(())
    }

    fn ask(&mut self) {
        if self.over {
            return;
        }
        for (stream, at) in (0..).zip(&mut self.streams) {
            while at.window.open() && at.ask < at.total && at.ask - at.send < self.ahead {
                self.events.push_back(Event::Read {
                    stream,
                    sequence: at.ask,
                });
                at.ask += 1;
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

const fn unexpected(message: &'static str, state: &'static str) -> Violation {
    Violation::Unexpected { message, state }
}
