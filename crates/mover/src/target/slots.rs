use std::fmt;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{Refusal, RefusalKind};

/// How many streams of backups a target takes at a time; one stream needs one slot. Clones share
/// the same slots.
#[derive(Clone, Default)]
pub struct Slots(Option<Limited>);

#[derive(Clone)]
struct Limited {
    total: NonZeroU16,
    free: Arc<Semaphore>,
}

/// The slots of one session; they are free again when this is dropped.
#[derive(Debug)]
pub(super) struct Taken(#[expect(dead_code, reason = "held")] Option<OwnedSemaphorePermit>);

impl Slots {
    /// As many as are asked for.
    pub const fn unlimited() -> Self {
        Self(None)
    }

    /// So many at a time.
    pub fn new(total: NonZeroU16) -> Self {
        Self(Some(Limited {
            total,
            free: Arc::new(Semaphore::new(usize::from(total.get()))),
        }))
    }

    /// All slots there are; `None` without a limit.
    pub fn total(&self) -> Option<u16> {
        self.0.as_ref().map(|limited| limited.total.get())
    }

    /// Slots that are free at this moment; `None` without a limit.
    pub fn free(&self) -> Option<u16> {
        let limited = self.0.as_ref()?;
        Some(u16::try_from(limited.free.available_permits()).unwrap_or(u16::MAX))
    }

    /// Takes slots for so many streams, in the order of those who ask; nobody is passed by, so a
    /// backup of many streams gets its turn too.
    pub(super) async fn take(&self, streams: u16, wait: Duration) -> Result<Taken, Refusal> {
        let Some(limited) = &self.0 else {
            return Ok(Taken(None));
        };
        let total = limited.total;
        if streams > total.get() {
            return Err(Refusal::new(
                RefusalKind::Invalid,
                format!(
                    "{streams} streams were asked for and this target takes {total} at a time; back up in {total} or fewer"
                ),
            ));
        }
        let permits = Arc::clone(&limited.free).acquire_many_owned(streams.into());
        match tokio::time::timeout(wait, permits).await {
            Ok(Ok(permits)) => Ok(Taken(Some(permits))),
            _ => Err(Refusal::new(
                RefusalKind::Busy,
                format!(
                    "all {total} stream slots of this target are in use; try again when another backup has ended, or ask for fewer than {streams} streams"
                ),
            )),
        }
    }

    /// For a session that was let in before this target was started again: the slots that are
    /// free, and if there are too few, none.
    pub(super) fn take_again(&self, streams: u16) -> Taken {
        let taken = self.0.as_ref().and_then(|limited| {
            let free = Arc::clone(&limited.free);
            free.try_acquire_many_owned(streams.into()).ok()
        });
        Taken(taken)
    }
}

impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("Slots(unlimited)"),
            Some(limited) => write!(f, "Slots({})", limited.total),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(5);

    fn slots(total: u16) -> Slots {
        Slots::new(NonZeroU16::new(total).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn one_stream_needs_one_slot() {
        let slots = slots(4);
        let three = slots.take(3, WAIT).await.unwrap();
        assert_eq!(slots.free(), Some(1));
        let error = slots.take(2, WAIT).await.unwrap_err();
        assert_eq!(error.kind, RefusalKind::Busy);
        drop(three);
        assert!(slots.take(4, WAIT).await.is_ok());
        assert_eq!(slots.free(), Some(4));
    }

    #[tokio::test]
    async fn more_streams_than_there_are_slots_would_wait_for_ever() {
        let error = slots(4).take(5, Duration::MAX).await.unwrap_err();
        assert_eq!(error.kind, RefusalKind::Invalid);
        assert!(error.message.contains("4 or fewer"), "{error}");
    }

    #[tokio::test]
    async fn who_asked_first_comes_first() {
        let slots = slots(2);
        let one = slots.take(1, WAIT).await.unwrap();
        let mut both = std::pin::pin!(slots.take(2, WAIT));
        assert!(futures_pending(both.as_mut()).await);
        // There is a free slot, but somebody waits for it already.
        let mut late = std::pin::pin!(slots.take(1, WAIT));
        assert!(futures_pending(late.as_mut()).await);
        drop(one);
        let both = both.await.unwrap();
        assert!(futures_pending(late.as_mut()).await);
        drop(both);
        assert!(late.await.is_ok());
    }

    async fn futures_pending<F: Future>(future: std::pin::Pin<&mut F>) -> bool {
        tokio::select! {
            biased;
            _ = future => false,
            () = tokio::task::yield_now() => true,
        }
    }

    #[tokio::test]
    async fn without_a_limit_nobody_waits() {
        let slots = Slots::unlimited();
        assert!(slots.take(u16::MAX, Duration::ZERO).await.is_ok());
        assert_eq!((slots.total(), slots.free()), (None, None));
    }
}
