//! Numbers that nobody guesses.

use std::hash::{BuildHasher, RandomState};

/// A number nobody else uses or can guess: the seeds of the hasher are random and secret.
pub(super) fn random() -> [u8; 16] {
    let half = || {
        RandomState::new()
            .hash_one(std::process::id())
            .to_le_bytes()
    };
    let (a, b) = (half(), half());
    let mut token = [0; 16];
    for (to, from) in token.iter_mut().zip(a.into_iter().chain(b)) {
        *to = from;
    }
    token
}
