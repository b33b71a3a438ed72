mod answers;
mod ending;
mod event;
mod stream;

use std::collections::VecDeque;
use std::time::Duration;

use uuid::Uuid;

pub use self::event::Event;

use self::ending::Phase;
use self::stream::SourceStream;
use crate::Block;
use crate::proto::control::Control;
use crate::proto::failure::Failure;
use crate::proto::frame::Frame;
use crate::proto::link::{Link, SourceConfig, Wake};
use crate::proto::moment::Moment;
use crate::proto::position::Position;
use crate::proto::streams::Streams;
use crate::proto::violation::Violation;

/// The source's side of one backup session, over any number of connections.
///
/// After every call: act on [`Self::poll_event`] until it is empty, send [`Self::poll_transmit`]
/// as fast as the connection takes it, and call [`Self::handle_timeout`] at [`Self::poll_timeout`].
#[derive(Debug)]
pub struct Source {
    patience: u64,
    begin: Option<Control>,
    key: [u8; 16],
    retain: u64,
    session: Option<Uuid>,
    streams: Streams<SourceStream>,
    link: Link,
    phase: Phase,
    /// The target was asked to commit, over any connection: it may have done so.
    commit_sent: bool,
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
        let patience = millis(config.resume.limit);
        let all = (0..streams).map(SourceStream::new).collect();
        let mut source = Self {
            patience,
            streams: Streams::new(all)?,
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
            link: Link::new(config),
            phase: Phase::Streaming,
            commit_sent: false,
            events: VecDeque::new(),
        };
        source.connected(now);
        Ok(source)
    }

    /// Offers packed key slots for the case that a new file is begun: the session is encrypted.
    #[must_use]
    pub fn offering(mut self, slots: Vec<u8>) -> Self {
        if let Some(Control::Begin { keys, .. }) = self.link.first() {
            *keys = slots;
        }
        self
    }

    /// A connection is open and greeted.
    pub fn connected(&mut self, now: Moment) {
        if !self.link.is_connecting() {
            return;
        }
        let opening = match (self.session, self.begin.take()) {
            (Some(session), _) => Control::Resume {
                session: session.into_bytes(),
                key: self.key,
                retain: self.retain,
                patience: self.patience,
            },
            (None, Some(begin)) => begin,
            (None, None) => return,
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
            if let Phase::Committing { sent, .. } = &mut self.phase {
                *sent = false;
            }
        } else {
            self.give_up(now);
        }
    }

    /// Bytes came, though no whole frame.
    pub fn heard(&mut self, now: Moment) {
        self.link.heard(now);
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
        self.streams.at(block.header.stream)?.push(block)
    }

    /// The stream is over; gives its totals.
    ///
    /// # Errors
    /// [`Violation::Stream`] if there is no such stream.
    pub fn finish_stream(&mut self, stream: u16) -> Result<Position, Violation> {
        Ok(self.streams.at(stream)?.finish(None))
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
        Ok(self.streams.at(stream)?.finish(Some(masked_crc)))
    }

    /// Asks that what was pushed of the stream becomes durable soon.
    ///
    /// # Errors
    /// [`Violation::Stream`] if there is no such stream.
    pub fn flush(&mut self, stream: u16) -> Result<(), Violation> {
        self.streams.at(stream)?.want_sync();
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

    /// A frame came.
    pub fn handle(&mut self, now: Moment, frame: Frame) {
        self.heard(now);
        let outcome = match frame {
            Frame::Block(_) => Err(Violation::unexpected("Block", "sending a backup")),
            Frame::Control(control) if self.link.is_opening() => self.handle_opening(now, control),
            Frame::Control(control) if self.link.is_up() => self.handle_up(control),
            Frame::Control(_) => Ok(()),
        };
        if let Err(violation) = outcome {
            self.fail(violation.into());
        }
    }

    /// The next frame to send.
    pub fn poll_transmit(&mut self) -> Option<Frame> {
        if let Some(control) = self.link.poll_transmit() {
            return Some(control);
        }
        if !self.link.is_up() || matches!(self.phase, Phase::Aborting { .. } | Phase::Over) {
            return None;
        }
        let keep = self.link.redials();
        self.streams
            .next_turn(|stream| stream.transmit(keep))
            .or_else(|| self.poll_commit())
    }

    /// Whether [`Self::poll_transmit`] has something.
    pub fn wants_transmit(&self) -> bool {
        if self.link.wants_transmit() {
            return true;
        }
        let ready = || self.streams.iter().any(SourceStream::ready);
        self.link.is_up()
            && match &self.phase {
                Phase::Streaming => ready(),
                Phase::Committing { sent, .. } => ready() || (!sent && self.safe()),
                Phase::Aborting { .. } | Phase::Over => false,
            }
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`Self::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Moment> {
        let phase = match &self.phase {
            Phase::Aborting { until, .. } => Some(*until),
            Phase::Over => return None,
            _ => None,
        };
        [self.link.poll_timeout(), phase]
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
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
