use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use vab_format::codec::Bottleneck;

/// Blocks that wait for the way to the target, from which on it counts as the slower part.
const PILE: u64 = 2;
/// So many samples that agree, more than those that do not, make up the mind.
const SURE: i32 = 4;
const TARGET: i32 = SURE;
const CODERS: i32 = -SURE;
const LIMIT: i32 = 2 * SURE;

/// What a backup is waiting for: the coders, or the way to the target.
#[derive(Debug, Default)]
pub(super) struct Gauge {
    /// Blocks that are encoded and not sent.
    unsent: AtomicU64,
    /// Above zero: the target is behind; below: the coders are.
    score: AtomicI32,
}

impl Gauge {
    /// The driver tells how many blocks it could not send yet.
    pub(super) fn unsent(&self, blocks: u64) {
        self.unsent.store(blocks, Ordering::Relaxed);
    }

    /// A coder takes a block while `waiting` others wait for one.
    pub(super) fn coder_begins(&self, waiting: usize) {
        match self.unsent.load(Ordering::Relaxed) {
            PILE.. => self.vote(1),
            0 if waiting > 0 => self.vote(-1),
            _ => {}
        }
    }

    /// A device had to wait until blocks are durable, while `waiting` blocks waited for a coder.
    pub(super) fn device_waited(&self, waiting: usize) {
        if waiting == 0 {
            self.vote(1);
        }
    }

    pub(super) fn bottleneck(&self) -> Bottleneck {
        match self.score.load(Ordering::Relaxed) {
            TARGET.. => Bottleneck::Target,
            ..=CODERS => Bottleneck::Compression,
            _ => Bottleneck::Unknown,
        }
    }

    fn vote(&self, vote: i32) {
        let clamped = |score: i32| Some((score + vote).clamp(-LIMIT, LIMIT));
        let _ = self
            .score
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, clamped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_that_pile_up_behind_the_coders_mean_the_target() {
        let gauge = Gauge::default();
        gauge.unsent(5);
        (0..SURE).for_each(|_| gauge.coder_begins(3));
        assert_eq!(gauge.bottleneck(), Bottleneck::Target);
    }

    #[test]
    fn blocks_that_pile_up_before_the_coders_mean_compression() {
        let gauge = Gauge::default();
        (0..SURE).for_each(|_| gauge.coder_begins(3));
        assert_eq!(gauge.bottleneck(), Bottleneck::Compression);
    }

    #[test]
    fn a_slow_disk_behind_an_empty_way_is_the_target_too() {
        let gauge = Gauge::default();
        (0..SURE).for_each(|_| gauge.device_waited(0));
        assert_eq!(gauge.bottleneck(), Bottleneck::Target);
    }

    #[test]
    fn the_mind_changes_with_what_is_seen() {
        let gauge = Gauge::default();
        (0..100).for_each(|_| gauge.coder_begins(1));
        gauge.unsent(9);
        (0..LIMIT).for_each(|_| gauge.coder_begins(1));
        assert_eq!(gauge.bottleneck(), Bottleneck::Unknown);
        (0..SURE).for_each(|_| gauge.coder_begins(1));
        assert_eq!(gauge.bottleneck(), Bottleneck::Target);
    }

    #[test]
    fn an_engine_that_is_slower_than_both_decides_nothing() {
        let gauge = Gauge::default();
        (0..100).for_each(|_| gauge.coder_begins(0));
        assert_eq!(gauge.bottleneck(), Bottleneck::Unknown);
    }
}
