use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tracing::{Instrument, info_span};
use uuid::Uuid;
use vab_format::stream::StreamEnd;
use vab_vdi::Device;

use super::board::Board;
use super::content::Content;
use super::dial::{Dialer, Redial};
use super::error::{RestoreError, StreamError};
use super::feed::{Arrival, Consumed, Feeder};
use super::keys::{Opening, Secrets};
use super::offer::off_the_io_threads;
use super::progress::Progress;
use super::restore_driver::{self, Driver, Opened};
use super::threads::Threads;
use crate::clock::Clock;
use crate::pool::Pool;
use crate::proto::Failure;
use crate::proto::backup::SourceConfig;
use crate::proto::control::MAX_OPAQUE;
use crate::proto::restore::Source as Core;
use crate::{Refusal, RefusalKind};

/// Buffers that are kept for the next blocks.
const KEPT_BUFFERS: usize = 32;

/// A committed session that is open for a restore. Dropping it ends that.
pub struct RestoreSession {
    session: Uuid,
    streams: Vec<StreamEnd>,
    /// The key, if it is encrypted.
    opening: Option<Opening>,
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
    pub(super) async fn open(
        dialer: Arc<Dialer>,
        request: Vec<u8>,
        secrets: &Secrets,
    ) -> Result<Self, RestoreError> {
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
            link: Some(restore_driver::start(halves, &pool, clock)),
            dialer,
            pool,
            board: Arc::clone(&board),
            streams: Vec::new(),
            consumed: queue,
            opened: Some(opened),
            dropped,
            redial: Redial::default(),
            clock,
        };
        tokio::spawn(driver.run().instrument(info_span!("restore")));
        let Ok(opened) = session.await else {
            return Err(failure(&board).into());
        };
        let Opened {
            session,
            totals,
            keys,
            arrivals,
        } = opened;
        // An error drops the session here, which ends it at the target too.
        let opening = match keys {
            Some(area) => {
                let secrets = secrets.clone();
                Some(off_the_io_threads(move || secrets.open(&area)).await?)
            }
            None => None,
        };
        let streams = (0..)
            .zip(&totals)
            .map(|(stream, total)| total.end(stream))
            .collect();
        Ok(Self {
            session,
            streams,
            opening,
            arrivals,
            consumed,
            board,
            _alive: alive,
        })
    }

    /// Its identity at the target.
    pub const fn session(&self) -> Uuid {
        self.session
    }

    /// The totals of the streams, in order, as they are stored: the checksums of encrypted streams
    /// are masked. A restore needs as many devices.
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
        let mut ends = self.streams.clone().into_iter();
        let threads = Threads::start(devices, |stream| {
            let feeder = Feeder {
                stream,
                content: Content::new(self.session, ends.next(), self.opening.as_ref()),
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
