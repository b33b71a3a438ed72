use std::fmt;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tracing::{Instrument, info_span};
use uuid::Uuid;
use vab_format::codec::Encoder;
use vab_format::stream::StreamEnd;
use vab_format::vab::KeyArea;
use vab_vdi::Device;

use super::backup_driver::{self, Driver, Order};
use super::board::Board;
use super::coders::Coders;
use super::dial::{Dialer, Redial};
use super::encoding::Encoding;
use super::error::{BackupError, CommitError, StreamError};
use super::gauge::Gauge;
use super::lane::Lane;
use super::memory::Memory;
use super::offer::Offer;
use super::progress::Progress;
use super::save::{Saver, Way, Ways};
use super::tap::Tap;
use super::threads::Threads;
use crate::clock::Clock;
use crate::pool::Pool;
use crate::proto::backup::{Source as Core, SourceConfig};
use crate::proto::control::{MAX_OPAQUE, MAX_STREAMS};
use crate::proto::{Failure, Position};
use crate::{Refusal, RefusalKind};

/// Orders of device threads that wait for the session.
const ORDERS: usize = 64;

/// A backup session that has begun at the target. Dropping it aborts it there.
pub struct BackupSession {
    session: Uuid,
    streams: u16,
    block_size: usize,
    board: Arc<Board>,
    orders: mpsc::Sender<Order>,
    /// Closed with the session.
    ways: Ways,
}

impl BackupSession {
    pub(super) async fn begin(
        dialer: Arc<Dialer>,
        request: Vec<u8>,
        streams: u16,
        encoding: &Encoding,
    ) -> Result<Self, BackupError> {
        check(&request, streams).map_err(Failure::Refused)?;
        // Refuses what this program cannot do before anybody hears of the backup.
        Encoder::new(encoding.compression)?;
        let offer = Offer::make(encoding).await?;
        let (halves, agreement) = dialer.dial().await?;
        let options = &dialer.options;
        let memory = Memory::of(options, streams, agreement.max_block, encoding);
        let retain = if options.resume.limit.is_zero() {
            0
        } else {
            memory.retained(streams)
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
        .map_err(Failure::from)?
        .offering(offer.pack()?);
        let board = Arc::new(Board::new(usize::from(streams)));
        let (ways, gauge) = (Ways::default(), Arc::new(Gauge::default()));
        let (orders, queue) = mpsc::channel(ORDERS);
        let (begun, session) = oneshot::channel();
        let driver = Driver {
            core,
            link: Some(backup_driver::start(halves, clock)),
            dialer,
            board: Arc::clone(&board),
            ways: ways.clone(),
            gauge: Arc::clone(&gauge),
            orders: queue,
            dropped: false,
            begun: Some(begun),
            receipt: None,
            outcome: None,
            aborted: Vec::new(),
            redial: Redial::default(),
            clock,
        };
        tokio::spawn(driver.run().instrument(info_span!("backup", streams)));
        let Ok((session, keys)) = session.await else {
            return Err(failure(&board).into());
        };
        let begun = Self {
            session,
            streams,
            block_size: memory.block(),
            board,
            orders,
            ways,
        };
        match begun.encode(encoding, memory, offer, keys, &gauge).await {
            Ok(()) => Ok(begun),
            Err(error) => {
                begun.abort(&error.to_string()).await;
                Err(error)
            }
        }
    }

    /// Opens the ways of the streams.
    async fn encode(
        &self,
        encoding: &Encoding,
        memory: Memory,
        offer: Offer,
        keys: Option<Box<KeyArea>>,
        gauge: &Arc<Gauge>,
    ) -> Result<(), BackupError> {
        let mut sealing = offer.accepted(keys, self.session).await?;
        let shares = match memory {
            Memory::Plain(shares) => {
                let way = |_| Way::Plain {
                    pool: Pool::new(shares.blocks),
                };
                self.ways.open((0..self.streams).map(way).collect());
                return Ok(());
            }
            Memory::Coded(shares) => shares,
        };
        let coders = Coders::start(shares.threads, encoding.compression, gauge)?;
        let mut ways = Vec::with_capacity(usize::from(self.streams));
        for stream in 0..self.streams {
            let sealer = match &mut sealing {
                Some(sealing) => Some(sealing.stream(stream)?),
                None => None,
            };
            let place = (self.session, stream);
            ways.push(Way::Coded {
                lane: Lane::new(place, shares.stream, sealer, self.orders.clone()),
                coders: coders.clone(),
                gauge: Arc::clone(gauge),
            });
        }
        self.ways.open(ways);
        Ok(())
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
        self.run_tapped(devices, Vec::new(), progress).await
    }

    /// The same, with a [`Tap`] on each stream, in order; streams beyond the taps have none. The
    /// taps are dropped when this returns.
    ///
    /// # Errors
    /// As [`BackupSession::run`].
    pub async fn run_tapped(
        self,
        devices: Vec<Device>,
        taps: Vec<Tap>,
        progress: impl Fn(Progress) + Send + Sync + 'static,
    ) -> Result<Streamed, BackupError> {
        let mut taps = taps.into_iter();
        if devices.len() != usize::from(self.streams) {
            let devices = devices.len();
            return Err(BackupError::Devices {
                streams: self.streams,
                devices,
            });
        }
        let progress: Arc<dyn Fn(Progress) + Send + Sync> = Arc::new(progress);
        let threads = Threads::start(devices, |stream| {
            let saver = Saver {
                session: self.session,
                stream,
                block_size: self.block_size,
                way: self.ways.of(stream),
                tap: taps.next(),
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
        self.ways.close();
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
        self.ways.close();
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

    /// The totals of the streams, in order, as they are stored: the checksums of encrypted streams
    /// are masked.
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
