use std::time::Duration;

use super::moment::Moment;

/// How long and how often a source tries to come back after its connection broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResumePolicy {
    /// How long to try, from the loss on. Zero: a broken connection ends what ran on it, and
    /// nothing is kept for sending again. Default 30 min.
    pub limit: Duration,
    /// Delay before the first try. Default 100 ms.
    pub first_delay: Duration,
    /// The delay doubles up to this. Default 15 s. Each delay is shortened by up to half, at
    /// random, so that many sources do not come back at once.
    pub longest_delay: Duration,
}

impl Default for ResumePolicy {
    fn default() -> Self {
        Self {
            limit: Duration::from_secs(30 * 60),
            first_delay: Duration::from_millis(100),
            longest_delay: Duration::from_secs(15),
        }
    }
}

/// Keeps the times of one outage.
#[derive(Debug)]
pub(crate) struct Redial {
    policy: ResumePolicy,
    lost: Option<Moment>,
    attempt: u32,
    random: u64,
}

impl Redial {
    pub(crate) const fn new(policy: ResumePolicy, seed: u64) -> Self {
        Self {
            policy,
            lost: None,
            attempt: 0,
            random: seed,
        }
    }

    pub(crate) const fn enabled(&self) -> bool {
        !self.policy.limit.is_zero()
    }

    /// The connection, or a try to get one, is lost; says when to try again.
    pub(crate) fn lost(&mut self, now: Moment) -> Moment {
        self.lost.get_or_insert(now);
        let doubled = 2_u32.saturating_pow(self.attempt.min(20));
        self.attempt = self.attempt.saturating_add(1);
        let delay = self
            .policy
            .first_delay
            .saturating_mul(doubled)
            .min(self.policy.longest_delay);
        let half = delay / 2;
        let spread = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).max(1);
        now.after(half)
            .after(Duration::from_micros(self.next_random() % spread))
    }

    /// When to give up, during an outage.
    pub(crate) fn gives_up(&self) -> Option<Moment> {
        self.lost.map(|lost| lost.after(self.policy.limit))
    }

    /// How long the outage has lasted.
    pub(crate) fn outage(&self, now: Moment) -> Duration {
        self.lost.map(|lost| now.since(lost)).unwrap_or_default()
    }

    pub(crate) const fn recovered(&mut self) {
        self.lost = None;
        self.attempt = 0;
    }

    /// A generator good enough to spread delays (the splitmix64 step).
    const fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_the_longest_and_are_spread_by_half() {
        let policy = ResumePolicy::default();
        let mut redial = Redial::new(policy, 7);
        let now = Moment::from_start(Duration::from_secs(100));
        for attempt in 0..30 {
            let delay = redial.lost(now).since(now);
            let full = policy
                .first_delay
                .saturating_mul(2_u32.saturating_pow(attempt))
                .min(policy.longest_delay);
            assert!(
                delay >= full / 2 && delay <= full,
                "attempt {attempt}: {delay:?}"
            );
        }
        assert_eq!(redial.gives_up(), Some(now.after(policy.limit)));
        redial.recovered();
        assert_eq!(redial.gives_up(), None);
    }
}
