use std::collections::VecDeque;
use std::time::Duration;

use uuid::Uuid;
use vab_format::vab::KeyArea;

use super::source_stream::SourceStream;
use crate::proto::control::{Control, StreamState};
use crate::proto::failure::Failure;
use crate::proto::frame::Frame;
use crate::proto::keys::key_area;
use crate::proto::liveness::{Due, Liveness, LivenessConfig};
use crate::proto::moment::Moment;
use crate::proto::position::Position;
use crate::proto::redial::{Redial, ResumePolicy};
use crate::proto::violation::Violation;
use crate::{Block, Refusal, RefusalKind};

/// Settings of the source of a backup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceConfig {
    /// When the target counts as gone.
    pub liveness: LivenessConfig,
    /// How to come back.
    pub resume: ResumePolicy,
    /// Start of the random numbers that spread the tries to come back.
    pub seed: u64,
}

/// What the driver of a [`Source`] has to do or to know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Open a connection, then call [`Source::connected`] or [`Source::connect_failed`].
    Connect,
    /// Close the connection; nothing more is expected of it.
    Disconnect,
    /// The session is open; blocks of it may be pushed.
    Begun {
        /// Its identity.
        session: Uuid,
        /// The key slots in force; `None` if it is not to be encrypted.
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
    /// The first `blocks` blocks of a stream are durable at the target.
    Durable {
        /// The stream.
        stream: u16,
        /// How many blocks.
        blocks: u64,
        /// The stream is over, and the target found its checksum right.
        ended: bool,
    },
    /// The restore point exists. Last event.
    Committed {
        /// The store's bytes for the manager.
        receipt: Vec<u8>,
    },
    /// The session is over and left nothing, or is in doubt as the failure says. Last event.
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
enum Phase {
    Streaming,
    Committing { facts: Vec<u8>, sent: bool },
    Aborting { reason: String, until: Moment },
    Over,
}

/// How long an abort waits for the target to say that it is done.
const ABORT_LIMIT: Duration = Duration::from_secs(10);

/// The source's side of one backup session, over any number of connections.
///
/// After every call: act on [`Self::poll_event`] until it is empty, send [`Self::poll_transmit`]
/// as fast as the connection takes it, and call [`Self::handle_timeout`] at [`Self::poll_timeout`].
#[derive(Debug)]
pub struct Source {
    config: SourceConfig,
    begin: Option<Control>,
    key: [u8; 16],
    retain: u64,
    session: Option<Uuid>,
    streams: Vec<SourceStream>,
    turn: usize,
    link: Link,
    phase: Phase,
    /// The target was asked to commit, over any connection: it may have done so.
    commit_sent: bool,
    redial: Redial,
    cause: String,
    control: VecDeque<Control>,
    events: VecDeque<Event>,
}

impl Source {
    /// A session about to begin over a connection that is open and greeted.
    ///
    /// `key` must be random and secret: who knows it may take the session up. `retain` says how
    /// many bytes of payload the driver can keep until they are durable.
    ///
    /// # Errors
    /// [`Violation::Streams`] if there are no streams or too many.
    pub fn new(
        config: SourceConfig,
        key: [u8; 16],
        request: Vec<u8>,
        streams: u16,
        retain: u64,
        now: Moment,
    ) -> Result<Self, Violation> {
        if streams == 0 || streams > crate::proto::control::MAX_STREAMS {
            return Err(Violation::Streams {
                streams: usize::from(streams),
            });
        }
        let patience = millis(config.resume.limit);
        let mut source = Self {
            config,
            begin: Some(Control::Begin {
                request,
                streams,
                key,
                retain,
                patience,
                keys: Vec::new(),
            }),
            key,
            retain,
            session: None,
            streams: (0..streams).map(SourceStream::new).collect(),
            turn: 0,
            link: Link::Connecting,
            phase: Phase::Streaming,
            commit_sent: false,
            redial: Redial::new(config.resume, config.seed),
            cause: String::new(),
            control: VecDeque::new(),
            events: VecDeque::new(),
        };
        source.connected(now);
        Ok(source)
    }

    /// Offers packed key slots for the case that a new file is begun: the session is encrypted.
    #[must_use]
    pub fn offering(mut self, slots: Vec<u8>) -> Self {
        if let Some(Control::Begin { keys, .. }) = self.control.front_mut() {
            *keys = slots;
        }
        self
    }

    /// A connection is open and greeted.
    pub fn connected(&mut self, now: Moment) {
        if !matches!(self.link, Link::Connecting) {
            return;
        }
        self.control.clear();
        let opening = match (self.session, self.begin.take()) {
            (Some(session), _) => Control::Resume {
                session: session.into_bytes(),
                key: self.key,
                retain: self.retain,
                patience: millis(self.config.resume.limit),
            },
            (None, Some(begin)) => begin,
            (None, None) => return,
        };
        self.control.push_back(opening);
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
            if let Phase::Committing { sent, .. } = &mut self.phase {
                *sent = false;
            }
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

    /// A block of the session to send. Its stream's blocks must come in order.
    ///
    /// # Errors
    /// A [`Violation`] if it is not the next block of a stream of this session.
    pub fn push(&mut self, block: Block) -> Result<(), Violation> {
        if !matches!(self.phase, Phase::Streaming) {
            return Ok(());
        }
        let expected = self.session.unwrap_or_default();
        if block.header.session != expected {
            return Err(Violation::Session {
                expected,
                got: block.header.session,
            });
        }
        self.stream(block.header.stream)?.push(block)
    }

    /// The stream is over; gives its totals.
    ///
    /// # Errors
    /// [`Violation::Stream`] if there is no such stream.
    pub fn finish_stream(&mut self, stream: u16) -> Result<Position, Violation> {
        Ok(self.stream(stream)?.finish(None))
    }

    /// The encrypted stream is over; its checksum is masked. Gives its totals.
    ///
    /// # Errors
    /// [`Violation::Stream`] if there is no such stream.
    pub fn finish_sealed_stream(
        &mut self,
        stream: u16,
        masked_crc: u32,
    ) -> Result<Position, Violation> {
        Ok(self.stream(stream)?.finish(Some(masked_crc)))
    }

    /// Asks that what was pushed of the stream becomes durable soon.
    ///
    /// # Errors
    /// [`Violation::Stream`] if there is no such stream.
    pub fn flush(&mut self, stream: u16) -> Result<(), Violation> {
        self.stream(stream)?.want_sync();
        Ok(())
    }

    /// Whether every stream is over and safe at the target.
    pub fn safe(&self) -> bool {
        self.streams.iter().all(SourceStream::safe)
    }

    /// Asks for the commit, as soon as every stream is safe.
    pub fn commit(&mut self, facts: Vec<u8>) {
        if matches!(self.phase, Phase::Streaming) {
            self.phase = Phase::Committing { facts, sent: false };
        }
    }

    /// Ends the session; ends in [`Event::Failed`].
    pub fn abort(&mut self, now: Moment, reason: &str) {
        if matches!(self.phase, Phase::Over | Phase::Aborting { .. }) {
            return;
        }
        for stream in &mut self.streams {
            stream.clear();
        }
        if self.session.is_none() {
            self.fail(Failure::BySource {
                reason: reason.to_owned(),
            });
            return;
        }
        if matches!(self.link, Link::Up(_)) {
            self.control.push_back(Control::abort(reason));
        }
        self.phase = Phase::Aborting {
            reason: reason.to_owned(),
            until: now.after(ABORT_LIMIT),
        };
    }

    /// A frame came.
    pub fn handle(&mut self, now: Moment, frame: Frame) {
        self.heard(now);
        let outcome = match (frame, &self.link) {
            (Frame::Block(_), _) => Err(unexpected("Block", "sending a backup")),
            (Frame::Control(control), Link::Opening(_)) => self.handle_opening(now, control),
            (Frame::Control(control), Link::Up(_)) => self.handle_up(control),
            (Frame::Control(_), _) => Ok(()),
        };
        if let Err(violation) = outcome {
            self.fail(violation.into());
        }
    }

    /// The next frame to send.
    pub fn poll_transmit(&mut self) -> Option<Frame> {
        if !matches!(self.link, Link::Opening(_) | Link::Up(_)) {
            return None;
        }
        if let Some(control) = self.control.pop_front() {
            return Some(control.into());
        }
        if !matches!(self.link, Link::Up(_)) {
            return None;
        }
        if matches!(self.phase, Phase::Aborting { .. } | Phase::Over) {
            return None;
        }
        self.poll_streams().or_else(|| self.poll_commit())
    }

    /// Whether [`Self::poll_transmit`] has something.
    pub fn wants_transmit(&self) -> bool {
        match self.link {
            Link::Opening(_) => !self.control.is_empty(),
            Link::Up(_) => {
                !self.control.is_empty()
                    || match &self.phase {
                        Phase::Streaming => self.streams.iter().any(SourceStream::ready),
                        Phase::Committing { sent, .. } => {
                            self.streams.iter().any(SourceStream::ready) || (!sent && self.safe())
                        }
                        Phase::Aborting { .. } | Phase::Over => false,
                    }
            }
            _ => false,
        }
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`Self::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Moment> {
        let link = match &self.link {
            Link::Waiting { until } => Some(*until),
            Link::Opening(liveness) | Link::Up(liveness) => Some(liveness.timeout()),
            Link::Connecting | Link::Closed => None,
        };
        let phase = match &self.phase {
            Phase::Aborting { until, .. } => Some(*until),
            Phase::Over => return None,
            _ => None,
        };
        [link, phase, self.redial.gives_up()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Moment) {
        match &self.phase {
            Phase::Over => return,
            Phase::Aborting { until, .. } if now >= *until => {
                self.give_up(now);
                return;
            }
            _ => {}
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
        matches!(self.phase, Phase::Over)
    }

    /// Payload bytes that are kept because they are not durable at the target.
    pub fn kept_bytes(&self) -> u64 {
        self.streams.iter().map(SourceStream::kept_bytes).sum()
    }

    /// Blocks that were pushed and not sent yet on this connection.
    pub fn unsent_blocks(&self) -> u64 {
        self.streams.iter().map(SourceStream::unsent_blocks).sum()
    }

    fn handle_opening(&mut self, now: Moment, control: Control) -> Result<(), Violation> {
        match control {
            Control::Begun {
                session,
                window,
                keys,
            } if self.session.is_none() => {
                let keys = key_area(&keys)?;
                let session = Uuid::from_bytes(session);
                self.session = Some(session);
                for stream in &mut self.streams {
                    stream.open(window);
                }
                self.up();
                // The target keeps a session over a cut only after it heard of the source again.
                self.control.push_back(Control::Ping { nonce: 0 });
                self.events.push_back(Event::Begun { session, keys });
                Ok(())
            }
            Control::Resumed { streams, window } if self.session.is_some() => {
                self.resume(&streams, window)?;
                self.events.push_back(Event::Resumed {
                    outage: self.redial.outage(now),
                });
                self.redial.recovered();
                self.up();
                Ok(())
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
            Control::Committed { .. } if self.session.is_some() => self.handle_up(control),
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
            Control::Credit { stream, limit } => self.stream(stream)?.raise(limit),
            Control::Durable {
                stream,
                blocks,
                ended,
            } => {
                if self.stream(stream)?.acknowledge(blocks, ended)? {
                    self.events.push_back(Event::Durable {
                        stream,
                        blocks,
                        ended,
                    });
                }
            }
            Control::Committed { receipt } => match self.phase {
                Phase::Committing { .. } | Phase::Aborting { .. } => self.committed(receipt),
                _ => return Err(unexpected("Committed", "nothing was to be committed")),
            },
            Control::Abort { reason } => match self.phase {
                Phase::Aborting { .. } => self.finish_abort(),
                _ => self.fail(Failure::ByTarget { reason }),
            },
            other => return Err(unexpected(other.name(), "sending a backup")),
        }
        Ok(())
    }

    fn resume(&mut self, states: &[StreamState], window: u64) -> Result<(), Violation> {
        if states.len() != self.streams.len() {
            return Err(Violation::Streams {
                streams: states.len(),
            });
        }
        if let Phase::Aborting { reason, .. } = &self.phase {
            self.control.push_back(Control::abort(reason));
            return Ok(());
        }
        for (number, (stream, state)) in (0_u16..).zip(self.streams.iter_mut().zip(states)) {
            stream.resume(*state, window)?;
            // `ended` is told again by the target when it is safe as well.
            self.events.push_back(Event::Durable {
                stream: number,
                blocks: state.durable,
                ended: false,
            });
        }
        Ok(())
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
        } else if self.commit_sent && refusal.kind != RefusalKind::UnknownSession {
            // The target cannot say whether it committed.
            let (outage, cause) = (self.redial.outage(now), refusal.to_string());
            self.fail(Failure::CommitInDoubt { outage, cause });
        } else if matches!(self.phase, Phase::Aborting { .. }) {
            self.finish_abort();
        } else {
            self.fail(Failure::Refused(refusal));
        }
    }

    fn committed(&mut self, receipt: Vec<u8>) {
        self.events.push_back(Event::Committed { receipt });
        self.phase = Phase::Over;
        self.control.clear();
        self.control.push_back(Control::Close);
        self.up();
    }

    fn give_up(&mut self, now: Moment) {
        let outage = self.redial.outage(now);
        let cause = std::mem::take(&mut self.cause);
        let failure = match &mut self.phase {
            _ if self.commit_sent => Failure::CommitInDoubt { outage, cause },
            Phase::Aborting { reason, .. } => Failure::BySource {
                reason: std::mem::take(reason),
            },
            _ => Failure::GaveUp { outage, cause },
        };
        self.fail(failure);
    }

    fn finish_abort(&mut self) {
        if let Phase::Aborting { reason, .. } = &mut self.phase {
            let reason = std::mem::take(reason);
            self.fail(Failure::BySource { reason });
        }
    }

    fn fail(&mut self, failure: Failure) {
        for stream in &mut self.streams {
            stream.clear();
        }
        self.control.clear();
        self.phase = Phase::Over;
        // A target that broke the protocol is told; others know already, or cannot be reached.
        if let (Failure::Violation(violation), Link::Up(_)) = (&failure, &self.link) {
            self.control
                .push_back(Control::abort(&violation.to_string()));
        } else {
            self.link = Link::Closed;
            self.events.push_back(Event::Disconnect);
        }
        self.events.push_back(Event::Failed(failure));
    }

    fn poll_streams(&mut self) -> Option<Frame> {
        let keep = self.redial.enabled();
        let count = self.streams.len();
        for step in 0..count {
            let index = (self.turn + step) % count;
            if let Some(frame) = self.streams.get_mut(index)?.transmit(keep) {
                self.turn = (index + 1) % count;
                return Some(frame);
            }
        }
        None
    }

    fn poll_commit(&mut self) -> Option<Frame> {
        let safe = self.safe();
        match &mut self.phase {
            Phase::Committing { facts, sent } if safe && !*sent => {
                *sent = true;
                self.commit_sent = true;
                Some(
                    Control::Commit {
                        facts: facts.clone(),
                    }
                    .into(),
                )
            }
            _ => None,
        }
    }

    fn up(&mut self) {
        self.link = match std::mem::replace(&mut self.link, Link::Closed) {
            Link::Opening(liveness) => Link::Up(liveness),
            other => other,
        };
    }

    fn stream(&mut self, stream: u16) -> Result<&mut SourceStream, Violation> {
        let streams = self.streams.len();
        self.streams
            .get_mut(usize::from(stream))
            .ok_or(Violation::Stream { stream, streams })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

const fn unexpected(message: &'static str, state: &'static str) -> Violation {
    Violation::Unexpected { message, state }
}
