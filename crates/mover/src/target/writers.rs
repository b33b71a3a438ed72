//! The threads of one backup session that call the store.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;

use tokio::sync::mpsc::UnboundedSender;
use vab_format::block::Codec;
use vab_format::stream::StreamEnd;

use super::lanes::Lanes;
use super::turns::Part;
use crate::{Block, Intake, Placed};

/// What the store did.
pub(super) enum Done {
    Written { stream: u16 },
    Synced,
    Committed(Result<Vec<u8>, String>),
    Aborted,
    Failed { reason: String },
}

/// What ends a stretch of blocks.
enum End {
    Sync,
    Commit {
        facts: Vec<u8>,
        ends: Vec<StreamEnd>,
    },
    Abort {
        reason: String,
    },
}

struct Shared {
    lanes: Lanes,
    /// Taken out for the commit or the abort, which nothing may outlive.
    intake: RwLock<Option<Box<dyn Intake>>>,
    /// Something failed: no write may follow a gap.
    failed: AtomicBool,
    turns: Part,
    done: UnboundedSender<Done>,
}

/// Threads that check and write blocks, and one for what comes between and behind them.
pub(super) struct Writers {
    shared: Arc<Shared>,
    /// Syncs run beside the writes; commit and abort come after all of them.
    ends: Sender<End>,
}

impl Writers {
    /// Starts as many threads as may write at a time.
    pub(super) fn start(
        intake: Box<dyn Intake>,
        (streams, threads): (u16, usize),
        turns: Part,
        done: UnboundedSender<Done>,
    ) -> std::io::Result<Self> {
        let (ends, queue) = channel();
        let shared = Arc::new(Shared {
            lanes: Lanes::new(streams),
            intake: RwLock::new(Some(intake)),
            failed: AtomicBool::new(false),
            turns,
            done,
        });
        // Threads that were started end with this, should a later one not start.
        let writers = Self { shared, ends };
        for number in 0..threads.max(1) {
            writers.spawn(format!("vab-write-{number}"), write_blocks)?;
        }
        writers.spawn("vab-sync".to_owned(), move |shared| end(shared, &queue))?;
        Ok(writers)
    }

    pub(super) fn write(&self, block: Block) {
        self.shared.lanes.push(block);
    }

    pub(super) fn sync(&self) {
        let _ = self.ends.send(End::Sync);
    }

    pub(super) fn commit(&self, facts: Vec<u8>, ends: Vec<StreamEnd>) {
        let _ = self.ends.send(End::Commit { facts, ends });
    }

    pub(super) fn abort(&self, reason: String) {
        let _ = self.ends.send(End::Abort { reason });
    }

    fn spawn(
        &self,
        name: String,
        work: impl FnOnce(&Shared) + Send + 'static,
    ) -> std::io::Result<()> {
        let shared = Arc::clone(&self.shared);
        thread::Builder::new().name(name).spawn(move || {
            let guard = Guard(shared.done.clone());
            work(&shared);
            std::mem::forget(guard);
        })?;
        Ok(())
    }
}

impl Drop for Writers {
    fn drop(&mut self) {
        self.shared.lanes.close();
    }
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

fn write_blocks(shared: &Shared) {
    while let Some((block, hold)) = shared.lanes.next() {
        let stream = block.header.stream;
        let _turn = shared.turns.turn(block.header.stored_length.into());
        let outcome = shared.with(|intake| {
            let placed = place(intake, block)?;
            // While this block is written the next one may be checked.
            drop(hold);
            placed.write().map_err(|error| error.to_string())
        });
        shared.tell(outcome, |()| Done::Written { stream });
    }
}

fn end(shared: &Shared, queue: &Receiver<End>) {
    while let Ok(job) = queue.recv() {
        match job {
            End::Sync => {
                let outcome =
                    shared.with(|intake| intake.sync().map_err(|error| error.to_string()));
                shared.tell(outcome, |()| Done::Synced);
            }
            End::Commit { facts, ends } => {
                let outcome = shared.take().map(|intake| {
                    let committed = intake.commit(&facts, &ends);
                    Ok(committed.map_err(|error| error.to_string()))
                });
                shared.tell(outcome, Done::Committed);
            }
            End::Abort { reason } => {
                if let Some(intake) = shared.take() {
                    intake.abort(&reason);
                }
                shared.tell(Some(Ok(())), |()| Done::Aborted);
            }
        }
    }
}

impl Shared {
    /// Calls the intake; `None` when nobody waits for that any more.
    fn with<T>(
        &self,
        call: impl FnOnce(&dyn Intake) -> Result<T, String>,
    ) -> Option<Result<T, String>> {
        if self.failed.load(Ordering::Acquire) {
            return None;
        }
        let intake = self.intake.read().unwrap_or_else(PoisonError::into_inner);
        let outcome = intake.as_deref().map(call);
        if matches!(outcome, Some(Err(_))) {
            self.failed.store(true, Ordering::Release);
        }
        outcome
    }

    fn take(&self) -> Option<Box<dyn Intake>> {
        self.intake
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    fn tell<T>(&self, outcome: Option<Result<T, String>>, done: impl FnOnce(T) -> Done) {
        let Some(outcome) = outcome else { return };
        let told = outcome.map_or_else(|reason| Done::Failed { reason }, done);
        let _ = self.done.send(told);
    }
}

/// The store looks at the payload, right before it leaves memory; here only at what was said.
fn place(intake: &dyn Intake, block: Block) -> Result<Placed<'_>, String> {
    let header = &block.header;
    let plain = header.codec == Codec::Raw && !header.is_encrypted();
    if plain && (header.raw_crc, header.raw_length) != (header.stored_crc, header.stored_length) {
        return Err(format!(
            "block {} of stream {} contradicts itself",
            header.sequence, header.stream
        ));
    }
    intake.place(block).map_err(|error| error.to_string())
}
