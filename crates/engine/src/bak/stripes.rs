//! Serves all devices of a set at once.

use std::panic;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use vab_vdi::{DeviceName, EngineDevice, EngineError, EngineSet};

use crate::request::{Progress, ProgressSink};

/// An error that can be one of a device or of the whole set.
pub(super) trait Failure: Send {
    fn set(error: EngineError) -> Self;
    fn device(device: DeviceName, error: EngineError) -> Self;
    /// Whether it only says that something else failed before.
    fn is_consequence(&self) -> bool;
}

/// What all devices are told.
#[derive(Clone, Copy)]
pub(super) enum Step {
    /// The stream is whole: finish the medium.
    Complete,
    /// The normal end.
    Close,
}

/// Runs every job on a thread of its own and gives their results in order, or the error that
/// was the first cause. A job that fails drops its device, which ends the others.
pub(super) fn at_once<J, T, E>(
    jobs: impl IntoIterator<Item = J>,
    work: impl Fn(J) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E>
where
    J: Send,
    T: Send,
    E: Failure,
{
    let work = &work;
    let results: Vec<Result<T, E>> = thread::scope(|scope| {
        let threads: Vec<_> = jobs
            .into_iter()
            .map(|job| scope.spawn(move || work(job)))
            .collect();
        let joined = threads.into_iter().map(|thread| {
            thread
                .join()
                .unwrap_or_else(|payload| panic::resume_unwind(payload))
        });
        joined.collect()
    });
    let mut done = Vec::new();
    let mut cause: Option<E> = None;
    for result in results {
        match result {
            Ok(value) => done.push(value),
            Err(error) => {
                if cause.as_ref().is_none_or(E::is_consequence) {
                    cause = Some(error);
                }
            }
        }
    }
    cause.map_or(Ok(done), Err)
}

/// Tells all devices the same at once, and waits for all of them.
pub(super) fn each<E: Failure>(
    devices: Vec<EngineDevice>,
    step: Step,
) -> Result<Vec<EngineDevice>, E> {
    let told = at_once(devices, |mut device| {
        let name = device.name().clone();
        let done = match step {
            Step::Complete => device.complete().map(|()| Some(device)),
            Step::Close => device.close().map(|()| None),
        };
        done.map_err(|error| E::device(name, error))
    })?;
    Ok(told.into_iter().flatten().collect())
}

/// Ends all devices, then the set, normally.
pub(super) fn close<E: Failure>(devices: Vec<EngineDevice>, set: EngineSet) -> Result<(), E> {
    each::<E>(devices, Step::Close)?;
    set.close().map_err(E::set)
}

/// Whether the error of one device only says that another one, or the other side, ended the set.
pub(super) fn is_consequence(error: &EngineError) -> bool {
    matches!(error, EngineError::Aborted)
}

/// Counts bytes over all devices.
pub(super) struct Tally<'s> {
    sink: &'s ProgressSink,
    total: u64,
    bytes: AtomicU64,
}

impl<'s> Tally<'s> {
    pub(super) fn new(sink: &'s ProgressSink, total: u64) -> Self {
        Self {
            sink,
            total,
            bytes: AtomicU64::new(0),
        }
    }

    pub(super) fn add(&self, count: usize) {
        let count = u64::try_from(count).unwrap_or_default();
        let before = self.bytes.fetch_add(count, Ordering::Relaxed);
        let bytes = before.saturating_add(count);
        self.sink.tell(Progress {
            bytes,
            total: self.total.max(bytes),
        });
    }
}
