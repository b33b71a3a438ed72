use std::collections::VecDeque;
use std::time::Duration;

use uuid::Uuid;
use vab_format::vab::KeyArea;

use crate::proto::backup::SourceConfig;
use crate::proto::control::{Control, MAX_STREAMS};
use crate::proto::failure::Failure;
use crate::proto::frame::Frame;
use crate::proto::keys::key_area;
use crate::proto::liveness::{Due, Liveness};
use crate::proto::moment::Moment;
use crate::proto::position::Position;
use crate::proto::redial::Redial;
use crate::proto::violation::Violation;
use crate::proto::window::ReceiveWindow;
use crate::{Block, Refusal, RefusalKind};

/// What the driver of a [`Source`] has to do or to know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Open a connection, then call [`Source::connected`] or [`Source::connect_failed`].
    Connect,
    /// Close the connection; nothing more is expected of it.
    Disconnect,
    /// The session is open.
    Opened {
        /// Its identity.
        session: Uuid,
        /// Totals of each stream.
        streams: Vec<Position>,
        /// The key slots of its file; `None` if it is not encrypted.
        keys: Option<Box<KeyArea>>,
    },
    /// The connection is lost; the source will try to come back.
    Lost {
        /// What happened.
        cause: String,
    },
    /// The session goes on over a new connection.
    Resumed {
        /// How long it was interrupted.
        outage: Duration,
    },
    /// The next block of its stream. Its payload is not checked yet. Call
    /// [`Source::consumed`] when it is no longer held.
    Block(Block),
    /// Every block of the stream arrived.
    StreamEnded {
        /// The stream.
        stream: u16,
    },
    /// The session is over. Last event.
    Failed(Failure),
}

#[derive(Debug)]
enum Link {
    Waiting { until: Moment },
    Connecting,
    Opening(Liveness),
    Up(Liveness),
    Closed,
}

#[derive(Debug)]
struct Stream {
    total: Position,
    received: Position,
    window: ReceiveWindow,
}

/// The source's side of one restore, over any number of connections.
///
/// Use it as [`backup::Source`](crate::proto::backup::Source).
#[derive(Debug)]
pub struct Source {
    config: SourceConfig,
    request: Vec<u8>,
    memory: u64,
    session: Option<Uuid>,
    /// Its blocks are encrypted.
    sealed: bool,
    streams: Vec<Stream>,
    link: Link,
    over: bool,
    redial: Redial,
    cause: String,
    control: VecDeque<Control>,
    events: VecDeque<Event>,
}

impl Source {
    /// A restore about to begin over a connection that is open and greeted. `memory`: bytes that
    /// may be received and not consumed, over all streams; each stream may go over its share by a
    /// block.
    pub fn new(config: SourceConfig, request: Vec<u8>, memory: u64, now: Moment) -> Self {
        let mut source = Self {
            config,
            request,
            memory,
            session: None,
            sealed: false,
            streams: Vec::new(),
            link: Link::Connecting,
            over: false,
            redial: Redial::new(config.resume, config.seed),
            cause: String::new(),
            control: VecDeque::new(),
            events: VecDeque::new(),
        };
        source.connected(now);
        source
    }

    /// A connection is open and greeted.
    pub fn connected(&mut self, now: Moment) {
        if !matches!(self.link, Link::Connecting) {
            return;
        }
        let from = self
            .streams
            .iter()
            .map(|stream| stream.received.blocks)
            .collect();
        self.control.clear();
        self.control.push_back(Control::Open {
            request: self.request.clone(),
            from,
        });
        self.link = Link::Opening(Liveness::new(self.config.liveness, now));
    }

    /// A connection could not be opened.
    pub fn connect_failed(&mut self, now: Moment, cause: &str) {
        if matches!(self.link, Link::Connecting) {
            cause.clone_into(&mut self.cause);
            self.link = Link::Waiting {
                until: self.redial.lost(now),
            };
        }
    }

    /// The connection broke, or brought bytes that are no frames.
    pub fn disconnected(&mut self, now: Moment, cause: &str) {
        if !matches!(self.link, Link::Opening(_) | Link::Up(_)) {
            return;
        }
        cause.clone_into(&mut self.cause);
        self.control.clear();
        if self.session.is_none() {
            self.fail(Failure::LostBeforeBegin {
                cause: cause.to_owned(),
            });
        } else if self.redial.enabled() {
            self.events.push_back(Event::Lost {
                cause: cause.to_owned(),
            });
            self.link = Link::Waiting {
                until: self.redial.lost(now),
            };
        } else {
            self.give_up(now);
        }
    }

    /// Bytes came, though no whole frame.
    pub fn heard(&mut self, now: Moment) {
        if let Link::Opening(liveness) | Link::Up(liveness) = &mut self.link {
            liveness.heard(now);
        }
    }

    /// A block of `stored_length` bytes is no longer held.
    pub fn consumed(&mut self, stream: u16, stored_length: u32) {
        let Some(at) = self.streams.get_mut(usize::from(stream)) else {
            return;
        };
        at.window.consumed(stored_length);
        if matches!(self.link, Link::Up(_))
            && at.received.blocks < at.total.blocks
            && let Some(limit) = at.window.announce()
        {
            self.control.push_back(Control::Credit { stream, limit });
        }
    }

    /// The restore is done, or is wanted no more: says goodbye to the target.
    pub fn close(&mut self) {
        if self.over {
            return;
        }
        self.over = true;
        self.control.clear();
        if matches!(self.link, Link::Up(_)) {
            self.control.push_back(Control::Close);
        }
    }

    /// A frame came.
    pub fn handle(&mut self, now: Moment, frame: Frame) {
        self.heard(now);
        if self.over {
            return;
        }
        let outcome = match (frame, &self.link) {
            (Frame::Block(block), Link::Up(_)) => self.handle_block(block),
            (Frame::Control(control), Link::Opening(_)) => self.handle_opening(now, control),
            (Frame::Control(control), Link::Up(_)) => self.handle_up(control),
            (Frame::Block(_), Link::Opening(_)) => Err(unexpected("Block", "opening a session")),
            _ => Ok(()),
        };
        if let Err(violation) = outcome {
            self.fail(violation.into());
        }
    }

    /// The next frame to send.
    pub fn poll_transmit(&mut self) -> Option<Frame> {
        if !self.wants_transmit() {
            return None;
        }
        self.control.pop_front().map(Frame::from)
    }

    /// Whether [`Self::poll_transmit`] has something.
    pub fn wants_transmit(&self) -> bool {
        matches!(self.link, Link::Opening(_) | Link::Up(_)) && !self.control.is_empty()
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
        let link = match &self.link {
            Link::Waiting { until } => Some(*until),
            Link::Opening(liveness) | Link::Up(liveness) => Some(liveness.timeout()),
            Link::Connecting | Link::Closed => None,
        };
        [link, self.redial.gives_up()].into_iter().flatten().min()
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Moment) {
        if self.over {
            return;
        }
        if self.redial.gives_up().is_some_and(|limit| now >= limit) {
            self.give_up(now);
            return;
        }
        match &mut self.link {
            Link::Waiting { until } if now >= *until => {
                self.link = Link::Connecting;
                self.events.push_back(Event::Connect);
            }
            Link::Opening(liveness) | Link::Up(liveness) => match liveness.due(now) {
                Due::Nothing => {}
                Due::Ping(nonce) => self.control.push_back(Control::Ping { nonce }),
                Due::Broken => {
                    self.events.push_back(Event::Disconnect);
                    self.disconnected(now, "the target has been silent for too long");
                }
            },
            _ => {}
        }
    }

    /// Whether the session is over, one way or the other.
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// Payload bytes that arrived and are not consumed.
    pub fn held_bytes(&self) -> u64 {
        self.streams.iter().map(|stream| stream.window.held()).sum()
    }

    fn handle_opening(&mut self, now: Moment, control: Control) -> Result<(), Violation> {
        match control {
            Control::Opened {
                session,
                streams,
                keys,
            } => {
                let keys = key_area(&keys)?;
                self.opened(now, Uuid::from_bytes(session), streams, keys)
            }
            Control::Refused { kind, message } => {
                self.refused(
                    now,
                    Refusal {
                        kind: RefusalKind::from_number(kind),
                        message,
                    },
                );
                Ok(())
            }
            Control::Ping { .. } | Control::Pong { .. } | Control::Abort { .. } => {
                self.handle_up(control)
            }
            other => Err(unexpected(other.name(), "opening a session")),
        }
    }

    fn handle_up(&mut self, control: Control) -> Result<(), Violation> {
        match control {
            Control::Ping { nonce } => self.control.push_back(Control::Pong { nonce }),
            Control::Pong { .. } => {}
            Control::Abort { reason } => self.fail(Failure::ByTarget { reason }),
            other => return Err(unexpected(other.name(), "receiving a restore")),
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
        let (stream, streams) = (header.stream, self.streams.len());
        let at = self
            .streams
            .get_mut(usize::from(stream))
            .ok_or(Violation::Stream { stream, streams })?;
        if at.received.blocks >= at.total.blocks {
            return Err(Violation::AfterEnd { stream });
        }
        if header.is_encrypted() != self.sealed {
            let got = header.is_encrypted();
            return Err(Violation::Sealed { stream, got });
        }
        at.received.advance(header)?;
        if !at.window.received(header.stored_length) {
            return Err(Violation::Credit { stream });
        }
        let ended = at.received.blocks == at.total.blocks;
        if ended && !at.received.agrees(&at.total, self.sealed) {
            return Err(Violation::Totals {
                stream,
                sent: at.total,
                arrived: at.received,
            });
        }
        self.events.push_back(Event::Block(block));
        if ended {
            self.events.push_back(Event::StreamEnded { stream });
        }
        Ok(())
    }

    fn opened(
        &mut self,
        now: Moment,
        session: Uuid,
        totals: Vec<Position>,
        keys: Option<Box<KeyArea>>,
    ) -> Result<(), Violation> {
        match self.session {
            None => self.first_opened(session, totals, keys)?,
            Some(expected) => {
                let same = totals
                    .iter()
                    .eq(self.streams.iter().map(|stream| &stream.total));
                // The slots may be others by now, the data key is not.
                if expected != session || !same || self.sealed != keys.is_some() {
                    self.fail(Failure::Changed {
                        expected,
                        got: session,
                    });
                    return Ok(());
                }
                let share = self.share();
                for stream in &mut self.streams {
                    stream.window = ReceiveWindow::resumed(share, stream.window.held());
                }
                self.events.push_back(Event::Resumed {
                    outage: self.redial.outage(now),
                });
                self.redial.recovered();
            }
        }
        self.link = match std::mem::replace(&mut self.link, Link::Closed) {
            Link::Opening(liveness) => Link::Up(liveness),
            other => other,
        };
        for (stream, at) in (0..).zip(&self.streams) {
            if at.received.blocks < at.total.blocks && at.window.first() > 0 {
                self.control.push_back(Control::Credit {
                    stream,
                    limit: at.window.first(),
                });
            }
        }
        Ok(())
    }

    fn first_opened(
        &mut self,
        session: Uuid,
        totals: Vec<Position>,
        keys: Option<Box<KeyArea>>,
    ) -> Result<(), Violation> {
        let count = totals.len();
        if count == 0 || count > usize::from(MAX_STREAMS) {
            return Err(Violation::Streams { streams: count });
        }
        self.session = Some(session);
        self.sealed = keys.is_some();
        let share = (self.memory / u64::try_from(count).unwrap_or(u64::MAX)).max(1);
        self.streams = totals
            .iter()
            .map(|total| Stream {
                total: *total,
                received: Position::default(),
                window: ReceiveWindow::new(share),
            })
            .collect();
        self.events.push_back(Event::Opened {
            session,
            streams: totals,
            keys,
        });
        for (stream, at) in (0..).zip(&self.streams) {
            if at.total.blocks == 0 {
                self.events.push_back(Event::StreamEnded { stream });
            }
        }
        Ok(())
    }

    fn share(&self) -> u64 {
        let count = u64::try_from(self.streams.len()).unwrap_or(u64::MAX).max(1);
        (self.memory / count).max(1)
    }

    fn refused(&mut self, now: Moment, refusal: Refusal) {
        let later = matches!(refusal.kind, RefusalKind::ShuttingDown | RefusalKind::Busy);
        if self.session.is_some() && later && self.redial.enabled() {
            self.cause = refusal.to_string();
            self.control.clear();
            self.events.push_back(Event::Disconnect);
            self.link = Link::Waiting {
                until: self.redial.lost(now),
            };
        } else {
            self.fail(Failure::Refused(refusal));
        }
    }

    fn give_up(&mut self, now: Moment) {
        let outage = self.redial.outage(now);
        let cause = std::mem::take(&mut self.cause);
        self.fail(Failure::GaveUp { outage, cause });
    }

    fn fail(&mut self, failure: Failure) {
        self.over = true;
        self.control.clear();
        if let (Failure::Violation(violation), Link::Up(_)) = (&failure, &self.link) {
            self.control
                .push_back(Control::abort(&violation.to_string()));
        } else {
            self.link = Link::Closed;
            self.events.push_back(Event::Disconnect);
        }
        self.events.push_back(Event::Failed(failure));
    }
}

const fn unexpected(message: &'static str, state: &'static str) -> Violation {
    Violation::Unexpected { message, state }
}
