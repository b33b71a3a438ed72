//! Where GUIDs come from.

use std::sync::Mutex;

use uuid::{Builder, Uuid};

use crate::sim::lock;

/// A source of GUIDs.
#[derive(Debug)]
pub struct Ids(Source);

#[derive(Debug)]
enum Source {
    Random,
    Seeded(Mutex<u64>),
}

impl Ids {
    /// GUIDs that nobody else has.
    pub fn random() -> Self {
        Self(Source::Random)
    }

    /// The same GUIDs for the same seed: for tests. An instance on disk that is opened again
    /// needs another seed.
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seeded(Mutex::new(seed)))
    }

    pub(crate) fn next(&self) -> Uuid {
        match &self.0 {
            Source::Random => Uuid::new_v4(),
            Source::Seeded(state) => {
                let mut state = lock(state);
                let high = split_mix(&mut state);
                let low = split_mix(&mut state);
                let bits = u128::from(high) << 64 | u128::from(low);
                Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
            }
        }
    }
}

/// `SplitMix64`: every state is followed by a different one.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids() {
        let (one, two) = (Ids::seeded(7), Ids::seeded(7));
        let first: Vec<_> = (0..4).map(|_| one.next()).collect();
        let second: Vec<_> = (0..4).map(|_| two.next()).collect();
        assert_eq!(first, second);
        assert_ne!(first[0], first[1]);
    }
}
