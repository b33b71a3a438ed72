use std::time::Duration;

use tokio::time::Instant;
use tracing::info;

use super::error::BackupError;
use crate::RefusalKind;
use crate::proto::Failure;

/// Between two tries. The target lets a try wait for its turn itself, so that no try is much
/// better placed than another.
const PAUSE: Duration = Duration::from_secs(1);

/// Asks until the target is not busy, or `limit` is over.
pub(super) async fn ask<T, F>(
    limit: Duration,
    request: Vec<u8>,
    begin: impl Fn(Vec<u8>) -> F,
) -> Result<T, BackupError>
where
    F: Future<Output = Result<T, BackupError>>,
{
    let start = Instant::now();
    loop {
        // A begin is large; who waits for it need not be.
        let outcome = Box::pin(begin(request.clone())).await;
        let Err(BackupError::Failed(Failure::Refused(refusal))) = &outcome else {
            return outcome;
        };
        if refusal.kind != RefusalKind::Busy || start.elapsed() + PAUSE > limit {
            return outcome;
        }
        info!(%refusal, "the target is busy; asking again");
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::Refusal;

    fn refused(kind: RefusalKind) -> BackupError {
        Failure::Refused(Refusal::new(kind, "test")).into()
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_target_is_asked_until_it_is_not() {
        let tries = Cell::new(0);
        let outcome = ask(Duration::from_secs(60), b"job".to_vec(), async |_| {
            tries.set(tries.get() + 1);
            if tries.get() < 5 {
                Err(refused(RefusalKind::Busy))
            } else {
                Ok("begun")
            }
        });
        assert_eq!(outcome.await.unwrap(), "begun");
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_ends_it() {
        let start = Instant::now();
        let outcome = ask(Duration::from_secs(60), Vec::new(), async |_| {
            Err::<(), _>(refused(RefusalKind::Busy))
        });
        assert!(outcome.await.is_err());
        assert!(start.elapsed() <= Duration::from_secs(60));
    }

    #[tokio::test]
    async fn another_refusal_is_the_answer() {
        let outcome = ask(Duration::MAX, Vec::new(), async |_| {
            Err::<(), _>(refused(RefusalKind::Full))
        });
        assert!(outcome.await.is_err());
    }
}
