use std::time::Duration;

use vab_mover::proto::Moment;

use super::{SECOND, Time};

/// The clock of one end; it may jump ahead, as that of a machine that was suspended, or back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalClock {
    ahead: Time,
    /// The wake-up that is on the agenda, so that there is one of them.
    pub(crate) wake: Option<Time>,
}

impl LocalClock {
    /// A clock that has run for a day: far enough from its start for every jump back.
    pub(crate) const fn new() -> Self {
        Self {
            ahead: 24 * 3600 * SECOND,
            wake: None,
        }
    }

    pub(crate) const fn jump(&mut self, by: i64) {
        self.ahead = self.ahead.saturating_add_signed(by);
    }

    pub(crate) const fn moment(&self, now: Time) -> Moment {
        Moment::from_start(Duration::from_micros(now + self.ahead))
    }

    /// When this clock shows `moment`.
    pub(crate) fn time_of(&self, moment: Moment) -> Time {
        u64::try_from(moment.elapsed().as_micros())
            .unwrap()
            .saturating_sub(self.ahead)
    }
}
