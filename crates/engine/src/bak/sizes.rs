//! Sizes of read commands.

use vab_vdi::Geometry;

/// Sizes as an engine may ask for them: whole blocks, up to the greatest transfer, in no order.
///
/// A restore need not ask for what the backup wrote at a time; asking for something else each time
/// keeps everybody honest who answers.
pub(super) struct ReadSizes {
    block: usize,
    blocks: usize,
    state: u64,
}

impl ReadSizes {
    pub(super) fn new(geometry: Geometry, stripe: u64) -> Self {
        let block = usize::try_from(geometry.block_size()).unwrap_or(512);
        let greatest = usize::try_from(geometry.max_transfer()).unwrap_or(block);
        Self {
            block,
            blocks: (greatest / block).max(1),
            state: stripe,
        }
    }

    pub(super) fn next_size(&mut self) -> usize {
        // A linear congruential generator; its high bits are good enough here.
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let high = usize::try_from(self.state >> 33).unwrap_or_default();
        self.block * (high % self.blocks + 1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_size_is_allowed_and_most_differ() {
        let geometry = Geometry::new(512, 1 << 20).unwrap();
        let mut sizes = ReadSizes::new(geometry, 0);
        let sizes: Vec<usize> = (0..1000).map(|_| sizes.next_size()).collect();
        assert!(
            sizes
                .iter()
                .all(|size| geometry.allows(u32::try_from(*size).unwrap()))
        );
        let different: HashSet<usize> = sizes.into_iter().collect();
        assert!(different.len() > 500, "{}", different.len());
    }

    #[test]
    fn one_block_is_all_there_is() {
        let geometry = Geometry::new(65_536, 65_536).unwrap();
        let mut sizes = ReadSizes::new(geometry, 3);
        assert_eq!(sizes.next_size(), 65_536);
    }
}
