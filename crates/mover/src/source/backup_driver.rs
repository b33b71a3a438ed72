//! The task of one backup session: it drives the state machine until the session is over.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tracing::{debug, info, warn};
use uuid::Uuid;
use vab_format::vab::KeyArea;

use super::board::Board;
use super::dial::{Dialer, Redial};
use super::gauge::Gauge;
use super::save::Ways;
use crate::Block;
use crate::clock::Clock;
use crate::net::{Halves, Incoming, Link, LinkEvent, Outgoing};
use crate::pool::Pool;
use crate::proto::Failure;
use crate::proto::backup::{Source as Core, SourceEvent};
use crate::proto::frame::Limits;

/// What a session is told.
pub(super) enum Order {
    Push(Block),
    Finish {
        stream: u16,
        /// The checksum of an encrypted stream, which the session cannot count.
        masked_crc: Option<u32>,
    },
    Flush {
        stream: u16,
    },
    Commit {
        facts: Vec<u8>,
        receipt: oneshot::Sender<Result<Vec<u8>, Failure>>,
    },
    Abort {
        reason: String,
        done: oneshot::Sender<()>,
    },
}

/// Drives the state machine of one session until it is over.
pub(super) struct Driver {
    pub(super) core: Core,
    pub(super) link: Option<Link>,
    pub(super) dialer: Arc<Dialer>,
    pub(super) board: Arc<Board>,
    pub(super) ways: Ways,
    pub(super) gauge: Arc<Gauge>,
    pub(super) orders: mpsc::Receiver<Order>,
    /// Nobody is left to give orders.
    pub(super) dropped: bool,
    pub(super) begun: Option<oneshot::Sender<(Uuid, Option<Box<KeyArea>>)>>,
    /// Who waits for the commit, and how it went.
    pub(super) receipt: Option<oneshot::Sender<Result<Vec<u8>, Failure>>>,
    pub(super) outcome: Option<Result<Vec<u8>, Failure>>,
    pub(super) aborted: Vec<oneshot::Sender<()>>,
    pub(super) redial: Redial,
    pub(super) clock: Clock,
}

enum Step {
    Link(LinkEvent),
    Order(Option<Order>),
    Dialed(Result<Link, String>),
    Sent,
    Time,
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
                Step::Order(Some(order)) => self.order(order),
                Step::Order(None) => {
                    self.core.abort(self.clock.now(), "the backup was dropped");
                    self.dropped = true;
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
            }
        }
        self.board.close();
        self.ways.close();
        let last: Vec<_> = std::iter::from_fn(|| self.core.poll_transmit()).collect();
        // The answer comes after the goodbye, which would else be lost in a process that ends now.
        if let Some(link) = self.link.take() {
            link.finish(last).await;
        }
        if let (Some(wait), Some(outcome)) = (self.receipt, self.outcome) {
            let _ = wait.send(outcome);
        }
    }

    fn events(&mut self) {
        while let Some(event) = self.core.poll_event() {
            match event {
                SourceEvent::Connect => self.dial(),
                SourceEvent::Disconnect => self.link = None,
                SourceEvent::Begun { session, keys } => {
                    info!(%session, "backup session begun");
                    if let Some(begun) = self.begun.take() {
                        let _ = begun.send((session, keys));
                    }
                }
                SourceEvent::Lost { cause } => warn!(cause, "lost the target; trying to come back"),
                SourceEvent::Resumed { outage } => info!(?outage, "back at the target"),
                SourceEvent::Durable {
                    stream,
                    blocks,
                    ended,
                } => {
                    debug!(stream, blocks, ended, "durable");
                    self.board.durable(stream, blocks, ended);
                }
                SourceEvent::Committed { receipt } => {
                    info!("committed");
                    self.outcome = Some(Ok(receipt));
                }
                SourceEvent::Failed(failure) => {
                    info!(%failure, "session failed");
                    self.outcome = Some(Err(failure.clone()));
                    self.board.fail(failure);
                }
            }
        }
    }

    fn order(&mut self, order: Order) {
        let outcome = match order {
            Order::Push(block) => self.core.push(block),
            Order::Finish { stream, masked_crc } => match masked_crc {
                Some(crc) => self.core.finish_sealed_stream(stream, crc).map(|_| ()),
                None => self.core.finish_stream(stream).map(|_| ()),
            },
            Order::Flush { stream } => self.core.flush(stream),
            Order::Commit { facts, receipt } => {
                self.receipt = Some(receipt);
                self.core.commit(facts);
                Ok(())
            }
            Order::Abort { reason, done } => {
                self.aborted.push(done);
                self.core.abort(self.clock.now(), &reason);
                Ok(())
            }
        };
        if let Err(violation) = outcome {
            self.core.abort(self.clock.now(), &violation.to_string());
        }
    }

    fn dial(&mut self) {
        let clock = self.clock;
        self.redial
            .begin(&self.dialer, move |halves| start(halves, clock));
    }

    async fn step(&mut self) -> Step {
        self.gauge.unsent(self.core.unsent_blocks());
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
            order = self.orders.recv(), if !self.dropped => Step::Order(order),
            outcome = self.redial.outcome() => Step::Dialed(outcome),
            () = self.clock.until(timeout) => Step::Time,
        }
    }
}

pub(super) fn start(halves: Halves, clock: Clock) -> Link {
    // No block comes to the source of a backup.
    Link::start(halves, Limits::CONTROL, Pool::new(0), clock)
}
