//! How much the property tests try.

use proptest::prelude::ProptestConfig;

/// As many cases as proptest takes by itself; under Miri, where each takes seconds, a few small ones.
pub(crate) fn cases() -> ProptestConfig {
    let mut config = ProptestConfig::default();
    if cfg!(miri) {
        config.cases = 3;
        config.failure_persistence = None;
    }
    config
}

/// The length of something of which Miri gets only a little.
pub(crate) const fn length(usual: usize, under_miri: usize) -> usize {
    if cfg!(miri) { under_miri } else { usual }
}
