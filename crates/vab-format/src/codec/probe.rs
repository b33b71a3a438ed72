//! Whether a block is worth compressing.

/// Compression must save at least a sixteenth.
pub(super) const fn is_worth_it(raw: usize, stored: usize) -> bool {
    stored <= raw - raw / 16
}

/// A sample from the start, the middle and the end of a block.
#[cfg(any(feature = "lz4", feature = "zstd"))]
pub(super) fn sample(raw: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    const PIECE: usize = 16 << 10;
    if raw.len() <= 6 * PIECE {
        return raw.into();
    }
    let mut sample = Vec::with_capacity(3 * PIECE);
    for start in [0, raw.len() / 2, raw.len() - PIECE] {
        sample.extend_from_slice(raw.get(start..start + PIECE).unwrap_or_default());
    }
    sample.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sixteenth_must_be_saved() {
        assert!(is_worth_it(1600, 1500));
        assert!(!is_worth_it(1600, 1501));
        assert!(!is_worth_it(1, 2));
    }

    #[cfg(any(feature = "lz4", feature = "zstd"))]
    #[test]
    fn a_sample_of_a_large_block_is_small() {
        assert_eq!(sample(&vec![0; 1 << 20]).len(), 48 << 10);
        assert_eq!(sample(&[0; 100]).len(), 100);
    }
}
