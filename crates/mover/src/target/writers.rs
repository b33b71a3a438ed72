//! The threads of one backup session that call the store.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;

use tokio::sync::mpsc::UnboundedSender;
use vab_format::block::Codec;
use vab_format::stream::StreamEnd;

use super::turns::Part;
use crate::{Block, Intake};

/// What the store did.
pub(super) enum Done {
    Written { stream: u16 },
    Synced,
    Committed(Result<Vec<u8>, String>),
    Aborted,
    Failed { reason: String },
}

enum Job {
    Write(Block),
    Sync,
    Commit {
        facts: Vec<u8>,
        ends: Vec<StreamEnd>,
    },
    Abort {
        reason: String,
    },
}

/// The intake is taken out for the commit or the abort, which nothing may outlive.
type Shared = Arc<Common>;

struct Common {
    intake: RwLock<Option<Box<dyn Intake>>>,
    /// Something failed: no write may follow a gap.
    failed: AtomicBool,
    turns: Part,
}

/// Blocks of a stream always go to the same thread, so that they stay in order.
pub(super) struct Writers {
    lanes: Vec<Sender<Job>>,
    /// Syncs run beside the writes; commit and abort come after all of them.
    ends: Sender<Job>,
}

impl Writers {
    pub(super) fn start(
        intake: Box<dyn Intake>,
        threads: usize,
        turns: Part,
        done: &UnboundedSender<Done>,
    ) -> std::io::Result<Self> {
        let intake = RwLock::new(Some(intake));
        let shared = Arc::new(Common {
            intake,
            failed: AtomicBool::new(false),
            turns,
        });
        let mut lanes = Vec::with_capacity(threads);
        for lane in 0..threads.max(1) {
            lanes.push(spawn(format!("vab-write-{lane}"), &shared, done)?);
        }
        let ends = spawn("vab-sync".to_owned(), &shared, done)?;
        Ok(Self { lanes, ends })
    }

    pub(super) fn write(&self, block: Block) {
        let lane = usize::from(block.header.stream) % self.lanes.len().max(1);
        if let Some(lane) = self.lanes.get(lane) {
            let _ = lane.send(Job::Write(block));
        }
    }

    pub(super) fn sync(&self) {
        let _ = self.ends.send(Job::Sync);
    }

    pub(super) fn commit(&self, facts: Vec<u8>, ends: Vec<StreamEnd>) {
        let _ = self.ends.send(Job::Commit { facts, ends });
    }

    pub(super) fn abort(&self, reason: String) {
        let _ = self.ends.send(Job::Abort { reason });
    }
}

fn spawn(
    name: String,
    shared: &Shared,
    done: &UnboundedSender<Done>,
) -> std::io::Result<Sender<Job>> {
    let (jobs, queue) = channel();
    let (shared, done) = (Arc::clone(shared), done.clone());
    thread::Builder::new().name(name).spawn(move || {
        let guard = Guard(done.clone());
        work(&queue, &shared, &done);
        std::mem::forget(guard);
    })?;
    Ok(jobs)
}

/// Tells the session of a store that panicked, which would else be waited for without end.
struct Guard(UnboundedSender<Done>);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.send(Done::Failed {
            reason: "the repository failed inside".to_owned(),
        });
    }
}

fn work(queue: &Receiver<Job>, shared: &Shared, done: &UnboundedSender<Done>) {
    while let Ok(job) = queue.recv() {
        let answer = match job {
            Job::Write(block) => {
                let stream = block.header.stream;
                let _turn = shared.turns.turn(block.header.stored_length.into());
                with(shared, |intake| write(intake, block))
                    .map(|outcome| outcome.map(|()| Done::Written { stream }))
            }
            Job::Sync => with(shared, |intake| {
                intake.sync().map_err(|error| error.to_string())
            })
            .map(|outcome| outcome.map(|()| Done::Synced)),
            Job::Commit { facts, ends } => take(shared).map(|intake| {
                Ok(Done::Committed(
                    intake
                        .commit(&facts, &ends)
                        .map_err(|error| error.to_string()),
                ))
            }),
            Job::Abort { reason } => {
                if let Some(intake) = take(shared) {
                    intake.abort(&reason);
                }
                Some(Ok(Done::Aborted))
            }
        };
        let answer = match answer {
            // Nobody waits for a write after the abort.
            None => continue,
            Some(Ok(done)) => done,
            Some(Err(reason)) => Done::Failed { reason },
        };
        if done.send(answer).is_err() {
            break;
        }
    }
}

fn with<T>(
    shared: &Shared,
    call: impl FnOnce(&dyn Intake) -> Result<T, String>,
) -> Option<Result<T, String>> {
    if shared.failed.load(Ordering::Acquire) {
        return None;
    }
    let intake = shared.intake.read().unwrap_or_else(PoisonError::into_inner);
    let outcome = intake.as_deref().map(call);
    if matches!(outcome, Some(Err(_))) {
        shared.failed.store(true, Ordering::Release);
    }
    outcome
}

fn take(shared: &Shared) -> Option<Box<dyn Intake>> {
    shared
        .intake
        .write()
        .unwrap_or_else(PoisonError::into_inner)
        .take()
}

/// The store looks at the payload, right before it leaves memory; here only at what was said.
fn write(intake: &dyn Intake, block: Block) -> Result<(), String> {
    let header = &block.header;
    let plain = header.codec == Codec::Raw && !header.is_encrypted();
    if plain && (header.raw_crc, header.raw_length) != (header.stored_crc, header.stored_length) {
        return Err(format!(
            "block {} of stream {} contradicts itself",
            header.sequence, header.stream
        ));
    }
    intake.write(block).map_err(|error| error.to_string())
}
