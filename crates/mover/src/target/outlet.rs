use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use tokio::sync::{mpsc, watch};
use tracing::{info, warn};

use super::door::{Door, pack, within};
use super::intake::stop;
use super::serve::Stage;
use crate::clock::Clock;
use crate::net::{Halves, Incoming, Link, LinkEvent, Outgoing};
use crate::pool::Pool;
use crate::proto::Position;
use crate::proto::frame::Limits;
use crate::proto::restore::{Target, TargetEvent};
use crate::{Block, Outlet, Refusal, RefusalKind};

/// Threads of one restore that read blocks.
const READERS: usize = 4;

/// Drives one restore at the target, as long as its connection lasts.
pub(super) struct OutletSession {
    core: Target,
    link: Link,
    lanes: Vec<Sender<(u16, u64)>>,
    loaded: mpsc::UnboundedReceiver<Result<Block, String>>,
    stage: watch::Receiver<Stage>,
    stopped: bool,
    clock: Clock,
}

enum Step {
    Link(LinkEvent),
    Loaded(Result<Block, String>),
    Sent,
    Time,
    Stop,
}

/// Opens a session for reading.
pub(super) async fn open(
    door: &Door,
    request: Vec<u8>,
    from: &[u64],
    halves: &mut Option<Halves>,
) -> Result<OutletSession, Refusal> {
    within(&request)?;
    let outlet: Arc<dyn Outlet> = door.call(move |store| store.open(&request)).await?.into();
    let session = outlet.session();
    let totals: Vec<Position> = outlet.streams().iter().map(Position::from).collect();
    let now = door.clock.now();
    let mut core = Target::new(door.options.session.liveness, session, &totals, from, now)
        .map_err(|error| Refusal::new(RefusalKind::Invalid, error.to_string()))?;
    if let Some(keys) = outlet.keys() {
        core = core.sealed(pack(&keys)?);
    }
    let (done, loaded) = mpsc::unbounded_channel();
    let mut lanes = Vec::new();
    for lane in 0..READERS.min(totals.len()) {
        let lane = spawn(lane, Arc::clone(&outlet), done.clone())
            .map_err(|error| Refusal::new(RefusalKind::Busy, error.to_string()))?;
        lanes.push(lane);
    }
    let Some(halves) = halves.take() else {
        return Err(Refusal::new(RefusalKind::Failed, "the connection is gone"));
    };
    let link = Link::start(halves, Limits::CONTROL, Pool::new(0), door.clock);
    info!(%session, streams = totals.len(), "restore begun");
    Ok(OutletSession {
        core,
        link,
        lanes,
        loaded,
        stage: door.stage.clone(),
        stopped: false,
        clock: door.clock,
    })
}

fn spawn(
    lane: usize,
    outlet: Arc<dyn Outlet>,
    done: mpsc::UnboundedSender<Result<Block, String>>,
) -> std::io::Result<Sender<(u16, u64)>> {
    let (jobs, queue): (_, Receiver<(u16, u64)>) = channel();
    thread::Builder::new()
        .name(format!("vab-read-{lane}"))
        .spawn(move || {
            let guard = Guard(done.clone());
            while let Ok((stream, sequence)) = queue.recv() {
                let read = outlet
                    .read(stream, sequence)
                    .map_err(|error| error.to_string());
                if done.send(read).is_err() {
                    break;
                }
            }
            std::mem::forget(guard);
        })?;
    Ok(jobs)
}

/// Tells the session of a store that panicked.
struct Guard(mpsc::UnboundedSender<Result<Block, String>>);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.send(Err("the repository failed inside".to_owned()));
    }
}

impl OutletSession {
    pub(super) async fn run(mut self) {
        let outcome = 'session: loop {
            while let Some(event) = self.core.poll_event() {
                match event {
                    TargetEvent::Read { stream, sequence } => self.read(stream, sequence),
                    TargetEvent::Over { reason } => break 'session reason,
                }
            }
            match self.step().await {
                Step::Link(LinkEvent::Frame(frame)) => self.core.handle(self.clock.now(), frame),
                Step::Link(LinkEvent::Broken(error)) => break Some(error.to_string()),
                Step::Loaded(Ok(block)) => self.core.loaded(block),
                Step::Loaded(Err(reason)) => self.core.fail(reason),
                Step::Sent => {}
                Step::Time => {
                    self.core.heard(self.link.heard());
                    self.core.handle_timeout(self.clock.now());
                }
                Step::Stop => self.core.fail("the target is shutting down".to_owned()),
            }
        };
        match outcome {
            None => info!("restore done"),
            Some(reason) => warn!(reason, "restore ended early"),
        }
        let last: Vec<_> = std::iter::from_fn(|| self.core.poll_transmit()).collect();
        self.link.finish(last).await;
    }

    fn read(&mut self, stream: u16, sequence: u64) {
        let lane = usize::from(stream) % self.lanes.len().max(1);
        let sent = self
            .lanes
            .get(lane)
            .map(|lane| lane.send((stream, sequence)));
        if !matches!(sent, Some(Ok(()))) {
            self.core.fail("the repository failed inside".to_owned());
        }
    }

    async fn step(&mut self) -> Step {
        let timeout = self.core.poll_timeout();
        let wants = self.core.wants_transmit();
        let (incoming, outgoing) = self.link.parts();
        tokio::select! {
            event = Incoming::next(Some(incoming)) => Step::Link(event),
            permit = Outgoing::room(Some(outgoing)), if wants => {
                if let Some(frame) = self.core.poll_transmit() {
                    permit.send(frame);
                }
                Step::Sent
            }
            loaded = self.loaded.recv() => {
                Step::Loaded(loaded.unwrap_or_else(|| Err("the repository failed inside".to_owned())))
            }
            () = self.clock.until(timeout) => Step::Time,
            () = stop(&mut self.stage), if !self.stopped => {
                self.stopped = true;
                Step::Stop
            }
        }
    }
}
