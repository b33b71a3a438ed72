use std::time::Duration;

use tokio::time::Instant;

use crate::proto::Moment;

/// The clock of a driver: it turns the runtime's time into that of the state machines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(&self) -> Moment {
        Moment::from_start(self.0.elapsed())
    }

    /// Over at `moment`, or in a very long time.
    pub(crate) fn sleep_until(&self, moment: Moment) -> tokio::time::Sleep {
        match self.0.checked_add(moment.elapsed()) {
            Some(instant) => tokio::time::sleep_until(instant),
            None => tokio::time::sleep(Duration::MAX),
        }
    }

    /// Waits until `moment`; for ever if there is none.
    pub(crate) async fn until(&self, moment: Option<Moment>) {
        match moment.and_then(|moment| self.0.checked_add(moment.elapsed())) {
            Some(instant) => tokio::time::sleep_until(instant).await,
            None => std::future::pending().await,
        }
    }
}
