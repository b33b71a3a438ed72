//! The task of one restore: it drives the state machine until the restore is over.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};
use uuid::Uuid;
use vab_format::vab::KeyArea;

use super::board::Board;
use super::dial::{Dialer, Redial};
use super::feed::{Arrival, Consumed};
use crate::clock::Clock;
use crate::net::{Halves, Incoming, Link, LinkEvent, Outgoing};
use crate::pool::Pool;
use crate::proto::Position;
use crate::proto::frame::{Limits, MAX_PAYLOAD};
use crate::proto::restore::{Source as Core, SourceEvent};

/// What is told when the session is open.
pub(super) struct Opened {
    pub(super) session: Uuid,
    pub(super) totals: Vec<Position>,
    pub(super) keys: Option<Box<KeyArea>>,
    pub(super) arrivals: Vec<mpsc::UnboundedReceiver<Arrival>>,
}

/// Drives the state machine of one restore until it is over.
pub(super) struct Driver {
    pub(super) core: Core,
    pub(super) link: Option<Link>,
    pub(super) dialer: Arc<Dialer>,
    pub(super) pool: Arc<Pool>,
    pub(super) board: Arc<Board>,
    /// Bounded by the credits.
    pub(super) streams: Vec<mpsc::UnboundedSender<Arrival>>,
    pub(super) consumed: mpsc::UnboundedReceiver<Consumed>,
    pub(super) opened: Option<oneshot::Sender<Opened>>,
    pub(super) dropped: oneshot::Receiver<()>,
    pub(super) redial: Redial,
    pub(super) clock: Clock,
}

enum Step {
    Link(LinkEvent),
    Consumed(Consumed),
    Dialed(Result<Link, String>),
    Sent,
    Time,
    Dropped,
}

impl Driver {
    /// Runs until the session is over and the goodbye is said.
    pub(super) async fn run(mut self) {
        loop {
            self.events();
            if self.core.is_over() {
                break;
            }
            match self.step().await {
                Step::Link(LinkEvent::Frame(frame)) => self.core.handle(self.clock.now(), frame),
                Step::Link(LinkEvent::Broken(error)) => {
                    self.link = None;
                    self.core.disconnected(self.clock.now(), &error.to_string());
                }
                Step::Consumed(Consumed {
                    stream,
                    stored_length,
                }) => {
                    self.core.consumed(stream, stored_length);
                }
                Step::Dialed(Ok(link)) => {
                    self.link = Some(link);
                    self.core.connected(self.clock.now());
                }
                Step::Dialed(Err(cause)) => self.core.connect_failed(self.clock.now(), &cause),
                Step::Sent => {}
                Step::Time => {
                    if let Some(link) = &self.link {
                        self.core.heard(link.heard());
                    }
                    self.core.handle_timeout(self.clock.now());
                }
                Step::Dropped => self.core.close(),
            }
        }
        self.board.close();
        let last: Vec<_> = std::iter::from_fn(|| self.core.poll_transmit()).collect();
        let link = self.link.take();
        drop(self);
        if let Some(link) = link {
            link.finish(last).await;
        }
    }

    fn events(&mut self) {
        while let Some(event) = self.core.poll_event() {
            match event {
                SourceEvent::Connect => self.dial(),
                SourceEvent::Disconnect => self.link = None,
                SourceEvent::Opened {
                    session,
                    streams,
                    keys,
                } => {
                    info!(%session, streams = streams.len(), "restore begun");
                    let (ways, arrivals) =
                        streams.iter().map(|_| mpsc::unbounded_channel()).unzip();
                    self.streams = ways;
                    if let Some(opened) = self.opened.take() {
                        let _ = opened.send(Opened {
                            session,
                            totals: streams,
                            keys,
                            arrivals,
                        });
                    }
                }
                SourceEvent::Block(block) => {
                    self.arrive(block.header.stream, Arrival::Block(block));
                }
                SourceEvent::StreamEnded { stream } => self.arrive(stream, Arrival::End),
                SourceEvent::Lost { cause } => warn!(cause, "lost the target; trying to come back"),
                SourceEvent::Resumed { outage } => info!(?outage, "back at the target"),
                SourceEvent::Failed(failure) => {
                    info!(%failure, "restore failed");
                    self.board.fail(failure);
                }
            }
        }
    }

    fn arrive(&mut self, stream: u16, arrival: Arrival) {
        let length = match &arrival {
            Arrival::Block(block) => Some(block.header.stored_length),
            Arrival::End => None,
        };
        let way = self.streams.get(usize::from(stream));
        let taken = way.is_some_and(|way| way.send(arrival).is_ok());
        // A device that was closed early takes no more; its blocks are thrown away.
        if let (false, Some(length)) = (taken, length) {
            self.core.consumed(stream, length);
        }
    }

    fn dial(&mut self) {
        let (pool, clock) = (Arc::clone(&self.pool), self.clock);
        self.redial
            .begin(&self.dialer, move |halves| start(halves, &pool, clock));
    }

    async fn step(&mut self) -> Step {
        let timeout = self.core.poll_timeout();
        let wants = self.core.wants_transmit();
        let (incoming, outgoing) = self.link.as_mut().map(Link::parts).unzip();
        tokio::select! {
            event = Incoming::next(incoming) => Step::Link(event),
            permit = Outgoing::room(outgoing), if wants => {
                if let Some(frame) = self.core.poll_transmit() {
                    permit.send(frame);
                }
                Step::Sent
            }
            Some(consumed) = self.consumed.recv() => Step::Consumed(consumed),
            outcome = self.redial.outcome() => Step::Dialed(outcome),
            () = self.clock.until(timeout) => Step::Time,
            _ = &mut self.dropped => Step::Dropped,
            () = self.board.wait_closed() => Step::Dropped,
        }
    }
}

pub(super) fn start(halves: Halves, pool: &Arc<Pool>, clock: Clock) -> Link {
    Link::start(halves, Limits::blocks(MAX_PAYLOAD), Arc::clone(pool), clock)
}
