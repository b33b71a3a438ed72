//! When to try again.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use vab_engine::Engine;

use super::failure::Failure;
use crate::engines::{EngineAddress, EngineAddressError};
use crate::server::ConnectError;

/// How often to try, and how long to wait between the tries. The wait doubles each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// Tries, with the first.
    pub tries: NonZeroU32,
    /// Before the second try.
    pub first_wait: Duration,
    /// At most.
    pub longest_wait: Duration,
}

impl Default for RetryPolicy {
    /// Three tries, after 5 and 10 seconds.
    fn default() -> Self {
        Self {
            tries: NonZeroU32::MIN.saturating_add(2),
            first_wait: Duration::from_secs(5),
            longest_wait: Duration::from_secs(60),
        }
    }
}

impl RetryPolicy {
    /// One try only.
    pub fn never() -> Self {
        Self {
            tries: NonZeroU32::MIN,
            ..Self::default()
        }
    }

    /// How long to wait before the next try, after `failed` tries; `None` when there is none.
    pub fn wait_after(&self, failed: u32) -> Option<Duration> {
        if failed >= self.tries.get() {
            return None;
        }
        let doubled = 1_u32.checked_shl(failed.saturating_sub(1));
        let wait = doubled.and_then(|times| self.first_wait.checked_mul(times));
        Some(wait.map_or(self.longest_wait, |wait| wait.min(self.longest_wait)))
    }

    /// Connects to a backup manager, which may be about to start.
    ///
    /// # Errors
    /// The error of the last try.
    pub async fn connect<T, F>(&self, mut connect: impl FnMut() -> F) -> Result<T, ConnectError>
    where
        F: Future<Output = Result<T, ConnectError>>,
    {
        self.run(|error| Failure::from(error), &mut connect).await
    }

    /// Opens an engine, which may be about to start.
    ///
    /// # Errors
    /// The error of the last try.
    pub async fn open(
        &self,
        address: &EngineAddress,
    ) -> Result<Arc<dyn Engine>, EngineAddressError> {
        let open = || {
            let address = address.clone();
            async move {
                let opened = spawn_blocking(move || address.open()).await;
                opened.map_err(|_| EngineAddressError::Died)?
            }
        };
        self.run(|error| Failure::from(error), open).await
    }

    /// Tries until it works, fails for good, or the tries are used up. Only for what changes
    /// nothing when it fails.
    pub(super) async fn run<T, E, F>(
        &self,
        class: impl Fn(&E) -> Failure,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let mut failed = 0;
        loop {
            let error = match attempt().await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            failed += 1;
            let failure = class(&error);
            let wait = self.wait_after(failed).filter(|_| failure.is_transient());
            let Some(wait) = wait else {
                return Err(error);
            };
            tracing::warn!(error = %failure, "trying again in {} s", wait.as_secs());
            tokio::time::sleep(wait).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(tries: u32) -> RetryPolicy {
        RetryPolicy {
            tries: NonZeroU32::new(tries).unwrap(),
            first_wait: Duration::from_secs(2),
            longest_wait: Duration::from_secs(10),
        }
    }

    #[test]
    fn waits_double_up_to_the_longest_and_end() {
        let policy = policy(5);
        let waits: Vec<_> = (1..=5).map(|failed| policy.wait_after(failed)).collect();
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(
            waits,
            [seconds(2), seconds(4), seconds(8), seconds(10), None]
        );
        assert_eq!(policy.wait_after(u32::MAX), None);
    }

    #[test]
    fn no_number_of_tries_overflows() {
        let endless = RetryPolicy {
            tries: NonZeroU32::MAX,
            ..policy(1)
        };
        assert_eq!(endless.wait_after(1000), Some(endless.longest_wait));
    }

    #[tokio::test]
    async fn what_passes_is_tried_again_and_what_does_not_is_not() {
        let policy = RetryPolicy {
            first_wait: Duration::ZERO,
            ..policy(3)
        };
        for (kind, expected) in [
            (std::io::ErrorKind::ConnectionRefused, 3),
            (std::io::ErrorKind::ConnectionRefused, 2),
        ] {
            let mut tries = 0;
            let done = policy
                .connect(|| {
                    tries += 1;
                    let works = tries == 2 && expected == 2;
                    let error = ConnectError::Unreachable {
                        address: "here".to_owned(),
                        source: kind.into(),
                    };
                    async move { if works { Ok(()) } else { Err(error) } }
                })
                .await;
            assert_eq!(tries, expected);
            assert_eq!(done.is_ok(), expected == 2);
        }
    }
}
