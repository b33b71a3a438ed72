//! Links from a commit to earlier ones, so that any session is found in few hops.

use crate::error::{DecodeError, Part};
use crate::limits::ALIGNMENT;
use crate::wire::{self, Fields};

/// The links of the commit with ordinal `k`: level `i` holds the offset of the latest commit
/// before it whose ordinal is a multiple of 2^i.
///
/// The links of the next commit follow from these alone, so a writer that knows only the last
/// commit of a file can go on. From a commit to any earlier one it is at most two hops per binary
/// digit of their distance.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Links {
    offsets: Vec<u64>,
}

impl Links {
    /// The links of the first commit of a file: none.
    pub const fn none() -> Self {
        Self {
            offsets: Vec::new(),
        }
    }

    /// The links of the commit that follows the one with `ordinal` at `offset`, whose links these
    /// are.
    #[must_use]
    pub fn following(&self, ordinal: u64, offset: u64) -> Self {
        let levels = levels(ordinal.saturating_add(1));
        let offsets = (0..levels).map(|level| {
            if is_multiple(ordinal, level) {
                offset
            } else {
                self.offsets.get(level).copied().unwrap_or(offset)
            }
        });
        Self {
            offsets: offsets.collect(),
        }
    }

    /// From the commit with ordinal `here`, the farthest linked commit that is not before `wanted`:
    /// its ordinal and its offset. `None` when `wanted` is not before `here`, or is 0.
    pub fn toward(&self, here: u64, wanted: u64) -> Option<(u64, u64)> {
        if wanted == 0 || wanted >= here {
            return None;
        }
        let reached = |level: usize| ((here - 1) >> level) << level;
        let level = (0..self.offsets.len())
            .rev()
            .find(|level| reached(*level) >= wanted)?;
        Some((reached(level), *self.offsets.get(level)?))
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        // At most 64 levels: an ordinal has 64 bits.
        let count = u32::try_from(self.offsets.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&count.to_le_bytes());
        for offset in &self.offsets {
            out.extend_from_slice(&offset.to_le_bytes());
        }
    }

    /// Reads the links of the commit with `ordinal`, which lies at `offset`.
    pub(crate) fn decode(
        fields: &mut Fields<'_>,
        ordinal: u64,
        offset: u64,
    ) -> Result<Self, DecodeError> {
        let due = levels(ordinal);
        let count = fields.count("links", 64)?;
        if count != due {
            return Err(DecodeError::Disagrees {
                part: Part::Commit,
                field: "links",
                expected: wire::size(due),
                found: wire::size(count),
            });
        }
        let mut offsets = Vec::with_capacity(count);
        let mut bound = offset;
        for _ in 0..count {
            let link = fields.u64()?;
            let before = link < offset && link <= bound;
            if !before || link == 0 || !link.is_multiple_of(ALIGNMENT) {
                return Err(fields.invalid("link", link));
            }
            bound = link;
            offsets.push(link);
        }
        Ok(Self { offsets })
    }
}

/// How many levels the commit with `ordinal` has: as many as `ordinal - 1` has binary digits.
fn levels(ordinal: u64) -> usize {
    let before = ordinal.saturating_sub(1);
    (u64::BITS - before.leading_zeros()) as usize
}

fn is_multiple(ordinal: u64, level: usize) -> bool {
    ordinal.trailing_zeros() as usize >= level
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The links of every commit of a file; the commit with ordinal `k` lies at `k * 4096`.
    fn file(sessions: u64) -> Vec<Links> {
        let mut all = vec![Links::none(), Links::none()];
        for ordinal in 1..sessions {
            let next = all.last().unwrap().following(ordinal, ordinal * 4096);
            all.push(next);
        }
        all
    }

    #[test]
    fn every_session_is_found_from_every_later_one_in_few_hops() {
        let sessions = 300;
        let all = file(sessions);
        for from in 1..=sessions {
            for wanted in 1..from {
                let (mut here, mut hops) = (from, 0);
                while here != wanted {
                    let (next, offset) = all[usize::try_from(here).unwrap()]
                        .toward(here, wanted)
                        .unwrap();
                    assert_eq!(offset, next * 4096);
                    assert!(next < here && next >= wanted);
                    (here, hops) = (next, hops + 1);
                }
                assert!(hops <= 2 * (64 - (from - wanted).leading_zeros()), "{hops}");
            }
        }
    }

    #[test]
    fn no_way_forward_or_to_session_zero() {
        let all = file(10);
        assert_eq!(all[5].toward(5, 5), None);
        assert_eq!(all[5].toward(5, 6), None);
        assert_eq!(all[5].toward(5, 0), None);
    }

    #[test]
    fn goes_both_ways() {
        for (ordinal, links) in (0..).zip(file(70)).skip(1) {
            let mut bytes = Vec::new();
            links.encode(&mut bytes);
            let mut fields = Fields::new(Part::Commit, &bytes);
            let read = Links::decode(&mut fields, ordinal, ordinal * 4096);
            assert_eq!(read, Ok(links));
        }
    }

    #[test]
    fn a_link_that_does_not_lead_back_is_refused() {
        let mut bytes = Vec::new();
        Links::none().following(1, 8192).encode(&mut bytes);
        let mut fields = Fields::new(Part::Commit, &bytes);
        assert!(Links::decode(&mut fields, 2, 8192).is_err());
    }
}
