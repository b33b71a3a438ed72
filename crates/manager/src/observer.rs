//! Progress, for whoever shows it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use vab_chain::PointId;

/// What happens during a backup or restore.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Happening {
    /// The repository has begun a session for a backup. If it is committed, its restore point
    /// has this identity.
    Session {
        /// The identity.
        point: PointId,
    },
    /// A transfer begins.
    Begins {
        /// What is moved, such as `full of Orders`.
        title: String,
        /// Bytes it will move, where that is known.
        bytes: Option<u64>,
    },
    /// More bytes of the transfer were moved.
    Moved {
        /// Bytes of all streams so far, as the engine has them.
        bytes: u64,
    },
    /// Everything was moved, the engine's statement has succeeded, and the repository is told to
    /// commit.
    Commits,
    /// The transfer has ended, well or not.
    Ends,
}

/// Somebody who wants to see what happens; nobody by default.
///
/// Called from the threads that move the data: it must not block.
#[derive(Clone, Default)]
pub struct Observer(Option<Arc<dyn Fn(Happening) + Send + Sync>>);

impl Observer {
    /// Calls `tell` with everything that happens.
    pub fn new(tell: impl Fn(Happening) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(tell)))
    }

    pub(crate) fn tell(&self, happening: Happening) {
        if let Some(tell) = &self.0 {
            tell(happening);
        }
    }

    /// Adds up the streams of a transfer.
    pub(crate) fn tally(&self, streams: usize) -> Tally {
        let mut bytes = Vec::new();
        bytes.resize_with(streams, AtomicU64::default);
        Tally {
            observer: self.clone(),
            bytes,
        }
    }

    /// Tells the begin now, and the end when the guard is dropped.
    pub(crate) fn transfer(&self, title: String, bytes: Option<u64>) -> Transfer {
        self.tell(Happening::Begins { title, bytes });
        Transfer(self.clone())
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Observer(..)"
        } else {
            "Observer(nobody)"
        })
    }
}

/// How far each stream of a transfer is.
#[derive(Debug)]
pub(crate) struct Tally {
    observer: Observer,
    bytes: Vec<AtomicU64>,
}

impl Tally {
    /// Tells that `stream` has moved `bytes` so far.
    pub(crate) fn moved(&self, stream: u16, bytes: u64) {
        if let Some(count) = self.bytes.get(usize::from(stream)) {
            count.store(bytes, Ordering::Relaxed);
        }
        let bytes = self
            .bytes
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .sum();
        self.observer.tell(Happening::Moved { bytes });
    }
}

/// A transfer that was told of, and whose end is told on drop.
#[derive(Debug)]
pub(crate) struct Transfer(Observer);

impl Drop for Transfer {
    fn drop(&mut self) {
        self.0.tell(Happening::Ends);
    }
}
