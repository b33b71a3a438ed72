use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tracing::{Instrument, info, info_span, warn};
use uuid::Uuid;
use vab_format::stream::StreamEnd;
use vab_vdi::Device;

use super::board::Board;
use super::dial::Dialer;
use super::error::{RestoreError, StreamError};
use super::feed::{Arrival, Consumed, Feeder};
use super::progress::Progress;
use super::threads::Threads;
use crate::clock::Clock;
use crate::net::{Halves, Incoming, Link, LinkEvent, Outgoing};
use crate::pool::Pool;
use crate::proto::backup::SourceConfig;
use crate::proto::control::MAX_OPAQUE;
use crate::proto::frame::{Limits, MAX_PAYLOAD};
use crate::proto::restore::{Source as Core, SourceEvent};
use crate::proto::{Failure, Position};
use crate::{Refusal, RefusalKind};

/// Buffers that are kept for the next blocks.
const KEPT_BUFFERS: usize = 32;

/// A committed session that is open for a restore. Dropping it ends that.
pub struct RestoreSession {
    session: Uuid,
    streams: Vec<StreamEnd>,
    arrivals: Vec<mpsc::UnboundedReceiver<Arrival>>,
    consumed: mpsc::UnboundedSender<Consumed>,
    board: Arc<Board>,
    /// Dropped to end the session.
    _alive: oneshot::Sender<()>,
}

/// What a restore gave to the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restored {
    /// Bytes the engine took of each stream. An engine may close a device before its end.
    pub bytes: Vec<u64>,
}

impl RestoreSession {
    pub(super) async fn open(dialer: Arc<Dialer>, request: Vec<u8>) -> Result<Self, RestoreError> {
        if request.len() > MAX_OPAQUE {
            let message = format!(
                "the request has {} bytes; at most {MAX_OPAQUE} can travel",
                request.len()
            );
            return Err(Failure::Refused(Refusal::new(RefusalKind::Invalid, message)).into());
        }
        let (halves, _) = dialer.dial().await?;
        let clock = Clock::start();
        let options = &dialer.options;
        let seed = Uuid::new_v4();
        let config = SourceConfig {
            liveness: options.liveness,
            resume: options.resume,
            seed: u64::from_le_bytes(seed.as_bytes().first_chunk().copied().unwrap_or_default()),
        };
        let core = Core::new(config, request, options.restore_memory, clock.now());
        let board = Arc::new(Board::new(0));
        let pool = Pool::new(KEPT_BUFFERS);
        let (opened, session) = oneshot::channel();
        let (consumed, queue) = mpsc::unbounded_channel();
        let (alive, dropped) = oneshot::channel();
        let driver = Driver {
            core,
            link: Some(start(halves, &pool, clock)),
            dialer,
            pool,
            board: Arc::clone(&board),
            streams: Vec::new(),
            consumed: queue,
            opened: Some(opened),
            dropped,
            dialed: None,
            clock,
        };
        tokio::spawn(driver.run().instrument(info_span!("restore")));
        match session.await {
            Ok(Opened {
                session,
                totals,
                arrivals,
            }) => {
                let streams = (0..)
                    .zip(&totals)
                    .map(|(stream, total)| total.end(stream))
                    .collect();
                Ok(Self {
                    session,
                    streams,
                    arrivals,
                    consumed,
                    board,
                    _alive: alive,
                })
            }
            Err(_) => Err(failure(&board).into()),
        }
    }

    /// Its identity at the target.
    pub const fn session(&self) -> Uuid {
        self.session
    }

    /// The totals of the streams, in order. A restore needs as many devices.
    pub fn streams(&self) -> &[StreamEnd] {
        &self.streams
    }

    /// Serves all devices, one thread each, until the engine has closed every one; the first
    /// device is stream 0. `progress` is called by the device threads.
    ///
    /// If one stream fails, the whole set is aborted. The same happens when the future is
    /// dropped.
    ///
    /// # Errors
    /// [`RestoreError`] names the first cause.
    pub async fn run(
        mut self,
        devices: Vec<Device>,
        progress: impl Fn(Progress) + Send + Sync + 'static,
    ) -> Result<Restored, RestoreError> {
        if devices.len() != self.streams.len() {
            let devices = devices.len();
            return Err(RestoreError::Devices {
                streams: self.streams.len(),
                devices,
            });
        }
        let progress: Arc<dyn Fn(Progress) + Send + Sync> = Arc::new(progress);
        let mut arrivals = std::mem::take(&mut self.arrivals).into_iter();
        let threads = Threads::start(devices, |stream| {
            let feeder = Feeder {
                stream,
                arrivals: arrivals
                    .next()
                    .unwrap_or_else(|| mpsc::unbounded_channel().1),
                consumed: self.consumed.clone(),
                progress: Arc::clone(&progress),
                rest: Bytes::new(),
                held: None,
                ended: false,
                bytes: 0,
                blocks: 0,
            };
            move |device: &Device| feeder.run(device)
        })
        .map_err(RestoreError::Thread)?;
        self.streams_end(threads).await
    }

    async fn streams_end(&self, mut threads: Threads<u64>) -> Result<Restored, RestoreError> {
        let mut bytes = vec![0; self.streams.len()];
        let mut first: Option<(u16, StreamError)> = None;
        let mut stopped = false;
        loop {
            tokio::select! {
                ended = threads.next() => match ended {
                    None => break,
                    Some((stream, Ok(taken))) => {
                        if let Some(bytes) = bytes.get_mut(usize::from(stream)) {
                            *bytes = taken;
                        }
                    }
                    Some((stream, Err(error))) => {
                        let better = first.as_ref().is_none_or(|(_, seen)| {
                            seen.is_consequence() && !error.is_consequence()
                        });
                        if better {
                            first = Some((stream, error));
                        }
                        stopped = true;
                        // The driver drops the channels of the streams.
                        self.board.close();
                        threads.abort();
                    }
                },
                () = self.board.wait_closed(), if !stopped => {
                    stopped = true;
                    threads.abort();
                }
            }
        }
        match (first, self.board.failure()) {
            (None, _) => Ok(Restored { bytes }),
            (Some((_, error)), Some(failure)) if error.is_consequence() => Err(failure.into()),
            (Some((stream, source)), _) => Err(RestoreError::Stream { stream, source }),
        }
    }
}

impl fmt::Debug for RestoreSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestoreSession")
            .field("session", &self.session)
            .field("streams", &self.streams)
            .finish_non_exhaustive()
    }
}

fn failure(board: &Board) -> Failure {
    board.failure().unwrap_or_else(|| Failure::BySource {
        reason: "the session was dropped".into(),
    })
}

fn start(halves: Halves, pool: &Arc<Pool>, clock: Clock) -> Link {
    Link::start(halves, Limits::blocks(MAX_PAYLOAD), Arc::clone(pool), clock)
}

struct Opened {
    session: Uuid,
    totals: Vec<Position>,
    arrivals: Vec<mpsc::UnboundedReceiver<Arrival>>,
}

/// Drives the state machine of one restore until it is over.
struct Driver {
    core: Core,
    link: Option<Link>,
    dialer: Arc<Dialer>,
    pool: Arc<Pool>,
    board: Arc<Board>,
    /// Bounded by the credits.
    streams: Vec<mpsc::UnboundedSender<Arrival>>,
    consumed: mpsc::UnboundedReceiver<Consumed>,
    opened: Option<oneshot::Sender<Opened>>,
    dropped: oneshot::Receiver<()>,
    dialed: Option<oneshot::Receiver<Result<Link, String>>>,
    clock: Clock,
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
    async fn run(mut self) {
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
                SourceEvent::Opened { session, streams } => {
                    info!(%session, streams = streams.len(), "restore begun");
                    let (ways, arrivals) =
                        streams.iter().map(|_| mpsc::unbounded_channel()).unzip();
                    self.streams = ways;
                    if let Some(opened) = self.opened.take() {
                        let _ = opened.send(Opened {
                            session,
                            totals: streams,
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
        let (done, answer) = oneshot::channel();
        let (dialer, pool, clock) = (Arc::clone(&self.dialer), Arc::clone(&self.pool), self.clock);
        tokio::spawn(async move {
            let outcome = match dialer.dial().await {
                Ok((halves, _)) => Ok(start(halves, &pool, clock)),
                Err(error) => Err(error.to_string()),
            };
            let _ = done.send(outcome);
        });
        self.dialed = Some(answer);
    }

    async fn step(&mut self) -> Step {
        let timeout = self.core.poll_timeout();
        let wants = self.core.wants_transmit();
        let dialing = self.dialed.is_some();
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
            outcome = dialed(&mut self.dialed), if dialing => {
                self.dialed = None;
                Step::Dialed(outcome)
            }
            () = self.clock.until(timeout) => Step::Time,
            _ = &mut self.dropped => Step::Dropped,
            () = self.board.wait_closed() => Step::Dropped,
        }
    }
}

async fn dialed(
    dialed: &mut Option<oneshot::Receiver<Result<Link, String>>>,
) -> Result<Link, String> {
    match dialed {
        Some(dialed) => dialed
            .await
            .unwrap_or_else(|_| Err("the try was dropped".to_owned())),
        None => std::future::pending().await,
    }
}
