use std::collections::VecDeque;
use std::time::Duration;

use uuid::Uuid;
use vab_format::stream::StreamEnd;

use super::target_stream::TargetStream;
use crate::Block;
use crate::proto::control::{Control, MAX_STREAMS};
use crate::proto::frame::Frame;
use crate::proto::liveness::{Due, Liveness, LivenessConfig};
use crate::proto::moment::Moment;
use crate::proto::position::Position;
use crate::proto::violation::Violation;

/// Settings of the target of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetConfig {
    /// When the source counts as gone.
    pub liveness: LivenessConfig,
    /// Payload bytes of one session that may be on their way or unwritten. Every stream has an
    /// equal share, and may go over it by a block. Default 16 MiB.
    pub window: u64,
    /// Written bytes of one stream after which they are made durable unasked. The share of the
    /// source's memory, if smaller, counts. Default 64 MiB.
    pub sync_bytes: u64,
    /// Age at which written bytes are made durable unasked. Default 2 s.
    pub sync_age: Duration,
    /// The longest a session waits for its source; the source may ask for less. Default 1 h.
    pub patience: Duration,
}

impl Default for TargetConfig {
    fn default() -> Self {
        Self {
            liveness: LivenessConfig::default(),
            window: 16 * 1024 * 1024,
            sync_bytes: 64 * 1024 * 1024,
            sync_age: Duration::from_secs(2),
            patience: Duration::from_secs(60 * 60),
        }
    }
}

/// What the source said of itself when it began or resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Bytes the source can keep until they are durable; 0 if it keeps none.
    pub retain: u64,
    /// How long it tries to come back; zero if it does not.
    pub patience: Duration,
}

/// What the driver of a [`Target`] has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Check and write a block, then call [`Target::written`]. Blocks of one stream in order.
    Write(Block),
    /// Make durable what was written so far, then call [`Target::synced`].
    Sync,
    /// Commit, then call [`Target::committed`].
    Commit {
        /// The manager's bytes.
        facts: Vec<u8>,
        /// Totals of every stream.
        ends: Vec<StreamEnd>,
    },
    /// Leave nothing, then call [`Target::aborted`].
    Abort {
        /// Why.
        reason: String,
    },
    /// Close the connection; nothing more is expected of it.
    Disconnect,
    /// Nothing more will come.
    Over,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// There is a restore point.
    Committed {
        /// The store's bytes for the manager.
        receipt: Vec<u8>,
    },
    /// Nothing is left.
    Aborted {
        /// Why.
        reason: String,
    },
}

#[derive(Debug)]
enum Phase {
    Open,
    Committing,
    Committed { receipt: Vec<u8> },
    Aborting { reason: String },
    Over,
}

#[derive(Debug)]
enum Link {
    Up(Liveness),
    /// Attached, but blocks of an earlier connection are still being written.
    Draining(Liveness),
    Parked {
        since: Moment,
    },
}

/// The target's side of one backup session, over any number of connections.
#[derive(Debug)]
pub struct Target {
    config: TargetConfig,
    terms: Terms,
    session: Uuid,
    streams: Vec<TargetStream>,
    link: Link,
    phase: Phase,
    ending: Option<Ending>,
    /// The source was heard of since the session began. A source that never was may not know of
    /// the session, and is waited for only shortly.
    confirmed: bool,
    /// Blocks per stream that the running sync covers.
    syncing: Option<Vec<u64>>,
    oldest_unsynced: Option<Moment>,
    control: VecDeque<Control>,
    events: VecDeque<Event>,
}

impl Target {
    /// A session that begins on an open connection.
    ///
    /// # Errors
    /// [`Violation::Streams`] if there are no streams or too many.
    pub fn begin(
        config: TargetConfig,
        terms: Terms,
        session: Uuid,
        streams: u16,
        now: Moment,
    ) -> Result<Self, Violation> {
        let positions = vec![Position::default(); usize::from(streams)];
        let mut target = Self::new(config, terms, session, &positions, now)?;
        target.open_windows();
        target.link = Link::Up(Liveness::new(config.liveness, now));
        target.control.push_back(Control::Begun {
            session: session.into_bytes(),
            window: target.window(),
            keys: Vec::new(),
        });
        Ok(target)
    }

    /// The session is encrypted, and these packed key slots are in force. Called before anything
    /// else.
    #[must_use]
    pub fn sealed(mut self, slots: Vec<u8>) -> Self {
        for stream in &mut self.streams {
            stream.seal(true);
        }
        if let Some(Control::Begun { keys, .. }) = self.control.front_mut() {
            *keys = slots;
        }
        self
    }

    /// A session that an earlier process of the target began, with what is durable of it. It
    /// waits for [`Self::attach`].
    ///
    /// # Errors
    /// [`Violation::Streams`] if there are no streams or too many.
    pub fn restored(
        config: TargetConfig,
        terms: Terms,
        session: Uuid,
        durable: &[Position],
        now: Moment,
    ) -> Result<Self, Violation> {
        let mut target = Self::new(config, terms, session, durable, now)?;
        target.confirmed = true;
        Ok(target)
    }

    /// A session that was committed by an earlier process of the target.
    pub fn finished(
        config: TargetConfig,
        terms: Terms,
        session: Uuid,
        receipt: Vec<u8>,
        now: Moment,
    ) -> Self {
        Self {
            phase: Phase::Committed { receipt },
            ..Self::bare(config, terms, session, now)
        }
    }

    fn new(
        config: TargetConfig,
        terms: Terms,
        session: Uuid,
        positions: &[Position],
        now: Moment,
    ) -> Result<Self, Violation> {
        let streams = positions.len();
        if streams == 0 || streams > usize::from(MAX_STREAMS) {
            return Err(Violation::Streams { streams });
        }
        let streams = (0..)
            .zip(positions)
            .map(|(number, at)| TargetStream::new(number, *at))
            .collect();
        Ok(Self {
            streams,
            ..Self::bare(config, terms, session, now)
        })
    }

    const fn bare(config: TargetConfig, terms: Terms, session: Uuid, now: Moment) -> Self {
        Self {
            config,
            terms,
            session,
            streams: Vec::new(),
            link: Link::Parked { since: now },
            phase: Phase::Open,
            ending: None,
            confirmed: false,
            syncing: None,
            oldest_unsynced: None,
            control: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// The session's identity.
    pub const fn session(&self) -> Uuid {
        self.session
    }

    /// Whether no source is attached.
    pub const fn is_parked(&self) -> bool {
        matches!(self.link, Link::Parked { .. })
    }

    /// How the session ended, once it is over.
    pub const fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    /// Whether the session is over.
    pub const fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// The source came back over a new connection. An older one, if there still is one, counts
    /// no longer: the driver closes it and hands over no more of its frames.
    pub fn attach(&mut self, now: Moment, terms: Terms) {
        self.terms = terms;
        self.confirmed = true;
        self.control.clear();
        self.link = Link::Draining(Liveness::new(self.config.liveness, now));
        self.drained();
    }

    /// The connection broke, or brought bytes that are no frames.
    pub fn disconnected(&mut self, now: Moment, cause: &str) {
        if self.is_parked() {
            return;
        }
        self.control.clear();
        self.link = Link::Parked { since: now };
        let stays = !self.terms.patience.is_zero();
        match self.phase {
            Phase::Open if !stays => {
                self.fail(format!("the connection to the source was lost: {cause}"));
            }
            Phase::Committed { .. } if !stays => self.over(),
            _ => {}
        }
    }

    /// Bytes came, though no whole frame.
    pub fn heard(&mut self, now: Moment) {
        if let Link::Up(liveness) | Link::Draining(liveness) = &mut self.link {
            liveness.heard(now);
        }
    }

    /// A frame came.
    pub fn handle(&mut self, now: Moment, frame: Frame) {
        self.heard(now);
        self.confirmed = true;
        let outcome = match frame {
            Frame::Block(block) => self.handle_block(block),
            Frame::Control(control) => self.handle_control(now, control),
        };
        if let Err(violation) = outcome {
            self.fail(format!(
                "the source does not keep to the protocol: {violation}"
            ));
        }
    }

    /// The oldest unwritten block of the stream was written.
    pub fn written(&mut self, now: Moment, stream: u16) {
        let Some(at) = self.streams.get_mut(usize::from(stream)) else {
            return;
        };
        at.written();
        self.oldest_unsynced.get_or_insert(now);
        if matches!(self.link, Link::Up(_))
            && let Some(limit) = at.credit()
        {
            self.control.push_back(Control::Credit { stream, limit });
        }
        self.drained();
        self.sync_if_due(now);
    }

    /// The sync that was asked for is done.
    pub fn synced(&mut self, now: Moment) {
        let Some(covered) = self.syncing.take() else {
            return;
        };
        for (stream, blocks) in self.streams.iter_mut().zip(covered) {
            stream.synced(blocks);
        }
        self.oldest_unsynced = self
            .streams
            .iter()
            .any(|stream| stream.unsynced() > 0)
            .then_some(now);
        self.tell_durable();
        self.sync_if_due(now);
    }

    /// The commit is done.
    pub fn committed(&mut self, outcome: Result<Vec<u8>, String>) {
        if !matches!(self.phase, Phase::Committing) {
            return;
        }
        match outcome {
            Ok(receipt) => {
                self.phase = Phase::Committed {
                    receipt: receipt.clone(),
                };
                if matches!(self.link, Link::Up(_)) {
                    self.control.push_back(Control::Committed { receipt });
                }
            }
            Err(reason) => {
                self.phase = Phase::Aborting { reason };
                self.aborted();
            }
        }
    }

    /// The store failed, or this side wants to stop. Ends the session unless it is committed or
    /// about to be.
    pub fn fail(&mut self, reason: String) {
        match self.phase {
            Phase::Open => {
                self.events
                    .retain(|event| !matches!(event, Event::Write(_) | Event::Sync));
                self.events.push_back(Event::Abort {
                    reason: reason.clone(),
                });
                self.phase = Phase::Aborting { reason };
            }
            Phase::Committed { .. } => self.over(),
            Phase::Committing | Phase::Aborting { .. } | Phase::Over => {}
        }
    }

    /// Nothing is left of the session.
    pub fn aborted(&mut self) {
        if let Phase::Aborting { reason } = &self.phase {
            self.control.clear();
            if !self.is_parked() {
                self.control.push_back(Control::abort(reason));
            }
            self.over();
        }
    }

    /// The next frame to send.
    pub fn poll_transmit(&mut self) -> Option<Frame> {
        self.control.pop_front().map(Frame::from)
    }

    /// Whether [`Self::poll_transmit`] has something.
    pub fn wants_transmit(&self) -> bool {
        !self.control.is_empty()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`Self::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Moment> {
        let link = match (&self.link, &self.phase) {
            (_, Phase::Over) => return None,
            (Link::Up(liveness) | Link::Draining(liveness), _) => Some(liveness.timeout()),
            (Link::Parked { since }, Phase::Open | Phase::Committed { .. }) => {
                Some(since.after(self.patience()))
            }
            (Link::Parked { .. }, _) => None,
        };
        let sync = match (&self.phase, &self.syncing) {
            (Phase::Open, None) => self
                .oldest_unsynced
                .map(|since| since.after(self.config.sync_age)),
            _ => None,
        };
        [link, sync].into_iter().flatten().min()
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Moment) {
        match &mut self.link {
            Link::Up(liveness) | Link::Draining(liveness) => match liveness.due(now) {
                Due::Nothing => {}
                Due::Ping(nonce) => self.control.push_back(Control::Ping { nonce }),
                Due::Broken => {
                    self.events.push_back(Event::Disconnect);
                    self.disconnected(now, "the source has been silent for too long");
                }
            },
            Link::Parked { since } => {
                if now >= since.after(self.patience()) {
                    self.fail("the source did not come back in time".to_owned());
                }
            }
        }
        self.sync_if_due(now);
    }

    fn handle_block(&mut self, block: Block) -> Result<(), Violation> {
        match (&self.phase, &self.link) {
            // What was on its way when the session failed.
            (Phase::Aborting { .. } | Phase::Over, _) => return Ok(()),
            (Phase::Open, Link::Up(_)) => {}
            _ => return Err(unexpected("Block", "no block may come")),
        }
        if block.header.session != self.session {
            return Err(Violation::Session {
                expected: self.session,
                got: block.header.session,
            });
        }
        self.stream(block.header.stream)?.block(&block.header)?;
        self.events.push_back(Event::Write(block));
        Ok(())
    }

    fn handle_control(&mut self, now: Moment, control: Control) -> Result<(), Violation> {
        match control {
            Control::Ping { nonce } => self.control.push_back(Control::Pong { nonce }),
            Control::Pong { .. } => {}
            _ if matches!(self.phase, Phase::Aborting { .. } | Phase::Over) => {}
            Control::Abort { reason } => self.fail(format!("ended by the source: {reason}")),
            Control::EndStream { stream, total } if matches!(self.phase, Phase::Open) => {
                self.stream(stream)?.end(total)?;
                self.tell_durable();
                self.sync_if_due(now);
            }
            Control::Sync { stream } if matches!(self.phase, Phase::Open) => {
                self.stream(stream)?.want_sync();
                self.sync_if_due(now);
            }
            Control::Commit { facts } => self.handle_commit(facts)?,
            Control::Close if matches!(self.phase, Phase::Committed { .. }) => self.over(),
            other => return Err(unexpected(other.name(), "receiving a backup")),
        }
        Ok(())
    }

    fn handle_commit(&mut self, facts: Vec<u8>) -> Result<(), Violation> {
        match &self.phase {
            Phase::Open if self.streams.iter().all(TargetStream::safe) => {
                let ends = (0..)
                    .zip(&self.streams)
                    .map(|(number, at)| at.total().end(number))
                    .collect();
                self.events.push_back(Event::Commit { facts, ends });
                self.phase = Phase::Committing;
                Ok(())
            }
            // The source asks again after a reconnect.
            Phase::Committing => Ok(()),
            Phase::Committed { receipt } => {
                self.control.push_back(Control::Committed {
                    receipt: receipt.clone(),
                });
                Ok(())
            }
            _ => Err(unexpected("Commit", "streams are not safe yet")),
        }
    }

    /// Answers a source that came back, once the blocks of its earlier connection are written.
    fn drained(&mut self) {
        if !matches!(self.link, Link::Draining(_)) {
            return;
        }
        let answer = match &self.phase {
            Phase::Open | Phase::Committing => {
                if !self.streams.iter().all(TargetStream::drained) {
                    return;
                }
                Control::Resumed {
                    streams: self.streams.iter().map(TargetStream::state).collect(),
                    window: self.window(),
                }
            }
            Phase::Committed { receipt } => Control::Committed {
                receipt: receipt.clone(),
            },
            Phase::Aborting { .. } | Phase::Over => return,
        };
        self.open_windows();
        self.control.push_back(answer);
        if let Link::Draining(liveness) = std::mem::replace(
            &mut self.link,
            Link::Parked {
                since: Moment::START,
            },
        ) {
            self.link = Link::Up(liveness);
        }
        self.tell_durable();
    }

    fn open_windows(&mut self) {
        let window = self.window();
        for stream in &mut self.streams {
            stream.open(window);
        }
    }

    fn tell_durable(&mut self) {
        if !matches!(self.link, Link::Up(_)) {
            return;
        }
        for (stream, at) in (0..).zip(&mut self.streams) {
            if let Some((blocks, ended)) = at.news() {
                self.control.push_back(Control::Durable {
                    stream,
                    blocks,
                    ended,
                });
            }
        }
    }

    fn sync_if_due(&mut self, now: Moment) {
        if !matches!(self.phase, Phase::Open) || self.syncing.is_some() {
            return;
        }
        let share = self.share();
        let old = self
            .oldest_unsynced
            .is_some_and(|since| now >= since.after(self.config.sync_age));
        if !old
            && !self
                .streams
                .iter()
                .any(|stream| stream.waits_for_sync(share))
        {
            return;
        }
        self.syncing = Some(
            self.streams
                .iter_mut()
                .map(TargetStream::sync_begins)
                .collect(),
        );
        self.events.push_back(Event::Sync);
    }

    /// Unsynced bytes of one stream at which the source is about to run out of memory for it.
    fn share(&self) -> u64 {
        if self.terms.retain == 0 {
            return self.config.sync_bytes;
        }
        let streams = u64::try_from(self.streams.len()).unwrap_or(u64::MAX).max(1);
        (self.terms.retain / streams / 2).clamp(1, self.config.sync_bytes.max(1))
    }

    /// The share of one stream.
    fn window(&self) -> u64 {
        let streams = u64::try_from(self.streams.len()).unwrap_or(u64::MAX).max(1);
        (self.config.window / streams).max(1)
    }

    fn patience(&self) -> Duration {
        if !self.confirmed {
            return self
                .config
                .liveness
                .idle_limit
                .saturating_mul(2)
                .min(self.config.patience);
        }
        // The source notices a cut later than the target, at worst by the idle limit.
        self.terms
            .patience
            .saturating_add(self.config.liveness.idle_limit)
            .saturating_add(self.config.liveness.heartbeat)
            .min(self.config.patience)
    }

    fn over(&mut self) {
        self.ending = match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Committed { receipt } => Some(Ending::Committed { receipt }),
            Phase::Aborting { reason } => Some(Ending::Aborted { reason }),
            _ => None,
        };
        self.events.push_back(Event::Over);
    }

    fn stream(&mut self, stream: u16) -> Result<&mut TargetStream, Violation> {
        let streams = self.streams.len();
        self.streams
            .get_mut(usize::from(stream))
            .ok_or(Violation::Stream { stream, streams })
    }
}

const fn unexpected(message: &'static str, state: &'static str) -> Violation {
    Violation::Unexpected { message, state }
}
