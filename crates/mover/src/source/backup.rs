use std::fmt;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tracing::{Instrument, debug, info, info_span, warn};
use uuid::Uuid;
use vab_format::stream::StreamEnd;
use vab_vdi::Device;

use super::board::Board;
use super::dial::Dialer;
use super::error::{BackupError, CommitError, StreamError};
use super::options::Shares;
use super::progress::Progress;
use super::save::Saver;
use super::threads::Threads;
use crate::clock::Clock;
use crate::net::{Halves, Incoming, Link, LinkEvent, Outgoing};
use crate::pool::Pool;
use crate::proto::backup::{Source as Core, SourceConfig, SourceEvent};
use crate::proto::control::{MAX_OPAQUE, MAX_STREAMS};
use crate::proto::frame::Limits;
use crate::proto::{Agreement, Failure, Position};
use crate::{Block, Refusal, RefusalKind};

/// Orders of device threads that wait for the session.
const ORDERS: usize = 64;

/// A backup session that has begun at the target. Dropping it aborts it there.
pub struct BackupSession {
    session: Uuid,
    streams: u16,
    shares: Shares,
    board: Arc<Board>,
    orders: mpsc::Sender<Order>,
    /// Held by every block size of memory of the streams; closed with the session.
    pools: Vec<Arc<Pool>>,
}

/// What a session is told.
pub(super) enum Order {
    Push(Block),
    Finish {
        stream: u16,
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

impl BackupSession {
    pub(super) async fn begin(
        dialer: Arc<Dialer>,
        request: Vec<u8>,
        streams: u16,
    ) -> Result<Self, BackupError> {
        check(&request, streams).map_err(Failure::Refused)?;
        let (halves, agreement) = dialer.dial().await?;
        let options = &dialer.options;
        let shares = options.shares(streams, agreement.max_block);
        let retain = shares
            .block
            .saturating_mul(shares.blocks)
            .saturating_mul(streams.into());
        let retain = if options.resume.limit.is_zero() {
            0
        } else {
            u64::try_from(retain).unwrap_or(u64::MAX)
        };
        let clock = Clock::start();
        let key = Uuid::new_v4();
        let config = SourceConfig {
            liveness: options.liveness,
            resume: options.resume,
            seed: u64::from_le_bytes(key.as_bytes().first_chunk().copied().unwrap_or_default()),
        };
        let core = Core::new(
            config,
            *Uuid::new_v4().as_bytes(),
            request,
            streams,
            retain,
            clock.now(),
        )
        .map_err(Failure::from)?;
        let board = Arc::new(Board::new(usize::from(streams)));
        let pools: Vec<_> = (0..streams).map(|_| Pool::new(shares.blocks)).collect();
        let (orders, queue) = mpsc::channel(ORDERS);
        let (begun, session) = oneshot::channel();
        let driver = Driver {
            core,
            link: Some(start(halves, agreement, clock)),
            dialer,
            board: Arc::clone(&board),
            pools: pools.clone(),
            orders: queue,
            dropped: false,
            begun: Some(begun),
            receipt: None,
            outcome: None,
            aborted: Vec::new(),
            dialed: None,
            clock,
        };
        tokio::spawn(driver.run().instrument(info_span!("backup", streams)));
        match session.await {
            Ok(session) => Ok(Self {
                session,
                streams,
                shares,
                board,
                orders,
                pools,
            }),
            Err(_) => Err(failure(&board).into()),
        }
    }

    /// Its identity at the target.
    pub const fn session(&self) -> Uuid {
        self.session
    }

    /// The number of its streams.
    pub const fn streams(&self) -> u16 {
        self.streams
    }

    /// Serves all devices, one thread each, until the engine has closed every one; the first
    /// device is stream 0. A flush is answered when everything before it is durable at the
    /// target. `progress` is called by the device threads.
    ///
    /// If one stream fails, the whole set is aborted, and the session leaves nothing. The same
    /// happens when the future is dropped.
    ///
    /// # Errors
    /// [`BackupError`] names the first cause.
    pub async fn run(
        self,
        devices: Vec<Device>,
        progress: impl Fn(Progress) + Send + Sync + 'static,
    ) -> Result<Streamed, BackupError> {
        if devices.len() != usize::from(self.streams) {
            let devices = devices.len();
            return Err(BackupError::Devices {
                streams: self.streams,
                devices,
            });
        }
        let progress: Arc<dyn Fn(Progress) + Send + Sync> = Arc::new(progress);
        let mut pools = self.pools.iter().cloned();
        let threads = Threads::start(devices, |stream| {
            let saver = Saver {
                session: self.session,
                stream,
                block_size: self.shares.block,
                pool: pools
                    .next()
                    .unwrap_or_else(|| Pool::new(self.shares.blocks)),
                board: Arc::clone(&self.board),
                orders: self.orders.clone(),
                progress: Arc::clone(&progress),
                at: Position::default(),
                open: None,
            };
            move |device: &Device| saver.run(device)
        })
        .map_err(BackupError::Thread)?;
        match self.streams_end(threads).await {
            Ok(ends) => Ok(Streamed {
                ends,
                session: self,
            }),
            Err(error) => {
                self.abort(&error.to_string()).await;
                Err(error)
            }
        }
    }

    async fn streams_end(
        &self,
        mut threads: Threads<Position>,
    ) -> Result<Vec<StreamEnd>, BackupError> {
        let mut ends = Vec::with_capacity(usize::from(self.streams));
        let mut first: Option<(u16, StreamError)> = None;
        let mut stopped = false;
        loop {
            tokio::select! {
                ended = threads.next() => match ended {
                    None => break,
                    Some((stream, Ok(at))) => ends.push(at.end(stream)),
                    Some((stream, Err(error))) => {
                        let better = first.as_ref().is_none_or(|(_, seen)| {
                            seen.is_consequence() && !error.is_consequence()
                        });
                        if better {
                            first = Some((stream, error));
                        }
                        stopped = true;
                        self.stop(&threads);
                    }
                },
                () = self.board.wait_closed(), if !stopped => {
                    stopped = true;
                    self.stop(&threads);
                }
            }
        }
        if let Some((stream, error)) = first {
            return Err(match self.board.failure() {
                Some(failure) if error.is_consequence() => failure.into(),
                _ => BackupError::Stream {
                    stream,
                    source: error,
                },
            });
        }
        self.board
            .wait_ended()
            .await
            .map_err(|_| failure(&self.board))?;
        ends.sort_by_key(|end| end.stream);
        Ok(ends)
    }

    /// Ends every thread, whatever it waits for.
    fn stop(&self, threads: &Threads<Position>) {
        threads.abort();
        self.board.close();
        for pool in &self.pools {
            pool.close();
        }
    }

    /// Ends the session; nothing of it is left at the target.
    pub async fn abort(&self, reason: &str) {
        let (done, wait) = oneshot::channel();
        let order = Order::Abort {
            reason: reason.to_owned(),
            done,
        };
        if self.orders.send(order).await.is_ok() {
            let _ = wait.await;
        }
    }
}

impl Drop for BackupSession {
    fn drop(&mut self) {
        self.board.close();
        for pool in &self.pools {
            pool.close();
        }
    }
}

impl fmt::Debug for BackupSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackupSession")
            .field("session", &self.session)
            .field("streams", &self.streams)
            .finish_non_exhaustive()
    }
}

/// A backup whose streams are all durable at the target, and no restore point yet. Dropping it
/// aborts it there.
#[derive(Debug)]
#[must_use = "without a commit there is no restore point"]
pub struct Streamed {
    session: BackupSession,
    ends: Vec<StreamEnd>,
}

impl Streamed {
    /// Its identity at the target.
    pub const fn session(&self) -> Uuid {
        self.session.session
    }

    /// The totals of the streams, in order.
    pub fn ends(&self) -> &[StreamEnd] {
        &self.ends
    }

    /// Makes the restore point, with the manager's `facts` (at most 64 KiB); gives the receipt of
    /// the store. Call it only after the engine said that its backup succeeded.
    ///
    /// # Errors
    /// [`CommitError`]; the restore point does not exist then, unless it says that this is in
    /// doubt.
    pub async fn commit(self, facts: impl Into<Vec<u8>>) -> Result<Vec<u8>, CommitError> {
        let facts = facts.into();
        if facts.len() > MAX_OPAQUE {
            let length = facts.len();
            self.abort("the facts are too long").await;
            return Err(CommitError::TooLong {
                length,
                limit: MAX_OPAQUE,
            });
        }
        let (receipt, wait) = oneshot::channel();
        let order = Order::Commit { facts, receipt };
        if self.session.orders.send(order).await.is_err() {
            return Err(failure(&self.session.board).into());
        }
        match wait.await {
            Ok(outcome) => Ok(outcome?),
            Err(_) => Err(failure(&self.session.board).into()),
        }
    }

    /// Ends the session; nothing of it is left at the target.
    pub async fn abort(self, reason: &str) {
        self.session.abort(reason).await;
    }
}

fn check(request: &[u8], streams: u16) -> Result<(), Refusal> {
    if request.len() > MAX_OPAQUE {
        let message = format!(
            "the request has {} bytes; at most {MAX_OPAQUE} can travel",
            request.len()
        );
        return Err(Refusal::new(RefusalKind::Invalid, message));
    }
    if streams == 0 || streams > MAX_STREAMS {
        let message = format!("{streams} streams; 1 to {MAX_STREAMS} are possible");
        return Err(Refusal::new(RefusalKind::Invalid, message));
    }
    Ok(())
}

fn failure(board: &Board) -> Failure {
    board.failure().unwrap_or_else(|| Failure::BySource {
        reason: "the session was dropped".into(),
    })
}

fn start(halves: Halves, agreement: Agreement, clock: Clock) -> Link {
    // No block comes to the source of a backup.
    let _ = agreement;
    Link::start(halves, Limits::CONTROL, Pool::new(0), clock)
}

/// Drives the state machine of one session until it is over.
struct Driver {
    core: Core,
    link: Option<Link>,
    dialer: Arc<Dialer>,
    board: Arc<Board>,
    pools: Vec<Arc<Pool>>,
    orders: mpsc::Receiver<Order>,
    /// Nobody is left to give orders.
    dropped: bool,
    begun: Option<oneshot::Sender<Uuid>>,
    /// Who waits for the commit, and how it went.
    receipt: Option<oneshot::Sender<Result<Vec<u8>, Failure>>>,
    outcome: Option<Result<Vec<u8>, Failure>>,
    aborted: Vec<oneshot::Sender<()>>,
    dialed: Option<oneshot::Receiver<Result<Link, String>>>,
    clock: Clock,
}

enum Step {
    Link(LinkEvent),
    Order(Option<Order>),
    Dialed(Result<Link, String>),
    Sent,
    Time,
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
        for pool in &self.pools {
            pool.close();
        }
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
                SourceEvent::Begun { session } => {
                    info!(%session, "backup session begun");
                    if let Some(begun) = self.begun.take() {
                        let _ = begun.send(session);
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
            Order::Finish { stream } => self.core.finish_stream(stream).map(|_| ()),
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
        let (done, answer) = oneshot::channel();
        let (dialer, clock) = (Arc::clone(&self.dialer), self.clock);
        tokio::spawn(async move {
            let outcome = match dialer.dial().await {
                Ok((halves, agreement)) => Ok(start(halves, agreement, clock)),
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
            order = self.orders.recv(), if !self.dropped => Step::Order(order),
            outcome = dialed(&mut self.dialed), if dialing => {
                self.dialed = None;
                Step::Dialed(outcome)
            }
            () = self.clock.until(timeout) => Step::Time,
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
