use std::sync::atomic::Ordering;

use tokio::sync::{mpsc, oneshot, watch};
use tracing::{debug, info, warn};
use uuid::Uuid;

use super::serve::Stage;
use super::sessions::{Ask, Place};
use super::slots::Taken;
use super::writers::{Done, Writers};
use crate::clock::Clock;
use crate::net::{Incoming, Link, LinkEvent, Outgoing};
use crate::proto::backup::{Target, TargetEvent};

/// Drives one backup session at the target until it is over.
pub(super) struct IntakeSession {
    pub(super) core: Target,
    pub(super) link: Option<Link>,
    pub(super) writers: Option<Writers>,
    pub(super) _taken: Taken,
    pub(super) done: mpsc::UnboundedReceiver<Done>,
    pub(super) place: Place,
    pub(super) stage: watch::Receiver<Stage>,
    pub(super) stage_known: bool,
    pub(super) clock: Clock,
}

enum Step {
    Link(LinkEvent),
    Done(Done),
    Asked(Ask),
    Sent,
    Time,
    /// The target is on its way to the end; false if nobody will say more of that.
    Stage(bool),
}

impl IntakeSession {
    pub(super) fn session(&self) -> Uuid {
        self.core.session()
    }

    pub(super) async fn run(mut self) {
        let mut waiting: Vec<oneshot::Sender<()>> = Vec::new();
        loop {
            self.heed_stage();
            if self.drive() {
                break;
            }
            self.place
                .parked
                .store(self.core.is_parked(), Ordering::Release);
            match self.step().await {
                Step::Link(LinkEvent::Frame(frame)) => self.core.handle(self.clock.now(), frame),
                Step::Link(LinkEvent::Broken(error)) => {
                    info!(%error, "lost the source");
                    self.link = None;
                    self.core.disconnected(self.clock.now(), &error.to_string());
                }
                Step::Done(done) => self.done(done),
                Step::Asked(Ask::Attach(link, terms)) => {
                    info!("the source is back");
                    self.link = Some(link);
                    self.core.attach(self.clock.now(), terms);
                }
                Step::Asked(Ask::End {
                    reason,
                    if_parked,
                    ended,
                }) => {
                    if self.core.is_parked() || !if_parked {
                        self.core.fail(reason);
                    }
                    waiting.push(ended);
                }
                Step::Sent => {}
                Step::Time => {
                    let heard = self.link.as_ref().map(Link::heard);
                    if let Some(heard) = heard {
                        self.core.heard(heard);
                    }
                    self.core.handle_timeout(self.clock.now());
                }
                Step::Stage(known) => self.stage_known = known,
            }
        }
        let last: Vec<_> = std::iter::from_fn(|| self.core.poll_transmit()).collect();
        if let Some(ending) = self.core.ending() {
            self.place.ended(ending.clone());
        }
        let link = self.link.take();
        drop(self);
        drop(waiting);
        if let Some(link) = link {
            link.finish(last).await;
        }
    }

    /// A target that stops ends what nobody is working on at once, and the rest when told.
    fn heed_stage(&mut self) {
        let stage = *self.stage.borrow_and_update();
        if stage == Stage::Stop || (stage == Stage::Draining && self.core.is_parked()) {
            self.core.fail("the target is shutting down".to_owned());
        }
    }

    /// Acts on events; true when the session is over.
    fn drive(&mut self) -> bool {
        while let Some(event) = self.core.poll_event() {
            match event {
                TargetEvent::Write(block) => self.with_writers(|writers| writers.write(block)),
                TargetEvent::Sync => self.with_writers(Writers::sync),
                TargetEvent::Commit { facts, ends } => {
                    self.with_writers(|writers| writers.commit(facts, ends));
                }
                TargetEvent::Abort { reason } => {
                    warn!(reason, "session aborted");
                    self.with_writers(|writers| writers.abort(reason));
                }
                TargetEvent::Disconnect => self.link = None,
                TargetEvent::Over => return true,
            }
        }
        false
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
            Some(done) = self.done.recv() => Step::Done(done),
            Some(ask) = self.place.asked.recv() => Step::Asked(ask),
            () = self.clock.until(timeout) => Step::Time,
            changed = self.stage.changed(), if self.stage_known => Step::Stage(changed.is_ok()),
        }
    }

    fn done(&mut self, done: Done) {
        let now = self.clock.now();
        match done {
            Done::Written { stream } => self.core.written(now, stream),
            Done::Synced => self.core.synced(now),
            Done::Committed(outcome) => {
                match &outcome {
                    Ok(_) => info!("session committed"),
                    Err(reason) => {
                        warn!(reason, "commit failed");
                    }
                }
                self.core.committed(outcome);
            }
            Done::Aborted => self.core.aborted(),
            Done::Failed { reason } => {
                debug!(reason, "the store failed");
                self.core.fail(reason);
            }
        }
    }

    fn with_writers(&self, act: impl FnOnce(&Writers)) {
        if let Some(writers) = &self.writers {
            act(writers);
        }
    }
}

/// Waits for the order to stop.
pub(super) async fn stop(stage: &mut watch::Receiver<Stage>) {
    if stage.wait_for(|stage| *stage == Stage::Stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}
