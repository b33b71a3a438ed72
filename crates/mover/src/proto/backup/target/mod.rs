mod absence;
mod config;
mod event;
mod frames;
mod link;
mod stream;
mod syncs;

use std::collections::VecDeque;

use uuid::Uuid;

pub use self::config::{TargetConfig, Terms};
pub use self::event::{Ending, Event};

use self::link::Link;
use self::stream::TargetStream;
use self::syncs::Syncs;
use crate::proto::control::Control;
use crate::proto::frame::Frame;
use crate::proto::liveness::Due;
use crate::proto::moment::Moment;
use crate::proto::position::Position;
use crate::proto::streams::Streams;
use crate::proto::violation::Violation;

#[derive(Debug)]
enum Phase {
    Open,
    Committing,
    Committed { receipt: Vec<u8> },
    Aborting { reason: String },
    Over,
}

/// The target's side of one backup session, over any number of connections.
#[derive(Debug)]
pub struct Target {
    config: TargetConfig,
    terms: Terms,
    session: Uuid,
    streams: Streams<TargetStream>,
    link: Link,
    phase: Phase,
    ending: Option<Ending>,
    /// The source was heard of since the session began. A source that never was may not know of
    /// the session, and is waited for only shortly.
    confirmed: bool,
    syncs: Syncs,
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
        target.link = Link::begun(config.liveness, now);
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
        self.streams.iter_mut().for_each(|stream| stream.seal(true));
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
        let streams = (0..)
            .zip(positions)
            .map(|(number, at)| TargetStream::new(number, *at))
            .collect();
        Ok(Self {
            streams: Streams::new(streams)?,
            ..Self::bare(config, terms, session, now)
        })
    }

    fn bare(config: TargetConfig, terms: Terms, session: Uuid, now: Moment) -> Self {
        Self {
            config,
            terms,
            session,
            streams: Streams::none(),
            link: Link::Parked { since: now },
            phase: Phase::Open,
            ending: None,
            confirmed: false,
            syncs: Syncs::default(),
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
        self.link.is_parked()
    }

    /// How the session ended, once it is over.
    pub const fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    /// Whether the session is over.
    pub const fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// Bytes came, though no whole frame.
    pub fn heard(&mut self, now: Moment) {
        self.link.heard(now);
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
        let Ok(at) = self.streams.at(stream) else {
            return;
        };
        at.written();
        self.syncs.written(now);
        if self.link.is_up()
            && let Some(limit) = at.credit()
        {
            self.control.push_back(Control::Credit { stream, limit });
        }
        self.drained();
        self.sync_if_due(now);
    }

    /// The sync that was asked for is done.
    pub fn synced(&mut self, now: Moment) {
        if self.syncs.done(now, &mut self.streams) {
            self.tell_durable();
            self.sync_if_due(now);
        }
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
        let (waits, syncs) = match &self.phase {
            Phase::Over => return None,
            Phase::Open => (true, self.syncs.timeout(&self.config)),
            Phase::Committed { .. } => (true, None),
            Phase::Committing | Phase::Aborting { .. } => (false, None),
        };
        let gone = self.gone_for_good().filter(|_| waits);
        [self.link.timeout(), gone, syncs]
            .into_iter()
            .flatten()
            .min()
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Moment) {
        if self.gone_for_good().is_some_and(|limit| now >= limit) {
            self.fail("the source did not come back in time".to_owned());
        }
        match self.link.due(now) {
            Due::Nothing => {}
            Due::Ping(nonce) => self.control.push_back(Control::Ping { nonce }),
            Due::Broken => {
                self.events.push_back(Event::Disconnect);
                self.disconnected(now, "the source has been silent for too long");
            }
        }
        self.sync_if_due(now);
    }

    fn tell_durable(&mut self) {
        if !self.link.is_up() {
            return;
        }
        for (stream, at) in self.streams.numbered_mut() {
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
        let (config, retain) = (&self.config, self.terms.retain);
        if matches!(self.phase, Phase::Open)
            && self
                .syncs
                .begin_if_due(now, config, retain, &mut self.streams)
        {
            self.events.push_back(Event::Sync);
        }
    }

    pub(super) fn over(&mut self) {
        self.ending = match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Committed { receipt } => Some(Ending::Committed { receipt }),
            Phase::Aborting { reason } => Some(Ending::Aborted { reason }),
            _ => None,
        };
        self.events.push_back(Event::Over);
    }
}
