//! The threads that compress the blocks of a session, shared by its streams.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use vab_format::codec::{Compression, Encoder};

use super::budget::Permit;
use super::error::{BackupError, StreamError};
use super::gauge::Gauge;
use super::lane::{Encoded, Lane};
use super::sealable::Sealable;
use crate::pool::{Buffer, Pool};

/// A block that waits for a coder.
pub(super) struct Job {
    pub(super) lane: Arc<Lane>,
    pub(super) sequence: u64,
    pub(super) offset: u64,
    pub(super) raw: Buffer,
    pub(super) permit: Permit,
}

/// Coder threads of one session. They end when the last handle is dropped.
#[derive(Clone, Debug)]
pub(super) struct Coders(Arc<Handle>);

#[derive(Debug)]
struct Handle(Arc<Queue>);

#[derive(Debug)]
struct Queue {
    state: Mutex<State>,
    ready: Condvar,
    /// Blocks that may wait for a coder. Raw ones take the most memory, so that further ones wait
    /// with the engine.
    limit: usize,
    taken: Condvar,
    /// Raw blocks; two are kept for each coder.
    buffers: Arc<Pool>,
    gauge: Arc<Gauge>,
}

/// Bounded by the budgets of the streams.
#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Coders {
    /// Starts `count` threads.
    pub(super) fn start(
        count: usize,
        compression: Compression,
        gauge: &Arc<Gauge>,
    ) -> Result<Self, BackupError> {
        let queue = Arc::new(Queue {
            state: Mutex::default(),
            ready: Condvar::new(),
            limit: count.max(1),
            taken: Condvar::new(),
            buffers: Pool::new(count.saturating_mul(2)),
            gauge: Arc::clone(gauge),
        });
        // Threads that were started end with this, should a later one not start.
        let coders = Self(Arc::new(Handle(Arc::clone(&queue))));
        for number in 0..count.max(1) {
            let encoder = Encoder::new(compression)?;
            let queue = Arc::clone(&queue);
            thread::Builder::new()
                .name(format!("vab-coder-{number}"))
                .spawn(move || queue.work(encoder))
                .map_err(BackupError::Thread)?;
        }
        Ok(coders)
    }

    /// An empty buffer for `length` raw bytes. The budgets bound how many are out.
    pub(super) fn buffer(&self, length: usize) -> Buffer {
        Sealable::buffer(&self.0.0.buffers, length)
    }

    /// Hands over a block, as soon as few enough wait; it comes out of its lane when those before
    /// it have.
    pub(super) fn encode(&self, job: Job) {
        let queue = &*self.0.0;
        let mut state = queue
            .taken
            .wait_while(queue.lock(), |state| {
                !state.closed && state.jobs.len() >= queue.limit
            })
            .unwrap_or_else(PoisonError::into_inner);
        state.jobs.push_back(job);
        drop(state);
        queue.ready.notify_one();
    }

    /// How many blocks no coder has taken yet.
    pub(super) fn waiting(&self) -> usize {
        self.0.0.lock().jobs.len()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.closed = true;
        let left = std::mem::take(&mut state.jobs);
        drop(state);
        self.0.ready.notify_all();
        self.0.taken.notify_all();
        drop(left);
    }
}

impl Queue {
    fn work(&self, mut encoder: Encoder) {
        while let Some((job, waiting)) = self.next() {
            self.gauge.coder_begins(waiting);
            encoder.set_bottleneck(self.gauge.bottleneck());
            let guard = Guard(Arc::clone(&job.lane), self);
            encode(&mut encoder, job);
            std::mem::forget(guard);
        }
    }

    fn next(&self) -> Option<(Job, usize)> {
        let mut state = self
            .ready
            .wait_while(self.lock(), |state| !state.closed && state.jobs.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        let job = state.jobs.pop_front()?;
        let waiting = state.jobs.len();
        drop(state);
        self.taken.notify_one();
        Some((job, waiting))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn encode(encoder: &mut Encoder, job: Job) {
    let Job {
        lane,
        sequence,
        offset,
        raw,
        permit,
    } = job;
    let (session, stream) = (lane.session(), lane.stream());
    let (header, compressed) = match encoder.encode(session, stream, sequence, offset, raw.bytes())
    {
        Ok(block) => block,
        Err(error) => return lane.fail(StreamError::Compress(error)),
    };
    let payload = match compressed {
        Some(compressed) => {
            // Its buffer is free before there is another one for the payload.
            drop(raw);
            Sealable::compressed(compressed)
        }
        None => Sealable::Raw(raw),
    };
    lane.deliver(Encoded {
        header,
        payload,
        permit,
    });
}

/// Ends the stream of a coder that panics, and lets nobody wait for it.
struct Guard<'q>(Arc<Lane>, &'q Queue);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.fail(StreamError::Panicked);
        self.1.lock().closed = true;
        self.1.ready.notify_all();
        self.1.taken.notify_all();
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("jobs", &self.jobs.len())
            .field("closed", &self.closed)
            .finish()
    }
}
