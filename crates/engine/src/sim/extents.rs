//! Sets of extents: the differential map and the bulk-changed map.

/// Pages of an extent.
pub(crate) const EXTENT_PAGES: u32 = 8;

/// A set of extents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ExtentMap(Vec<u64>);

impl ExtentMap {
    /// Adds the extent of a page.
    pub(crate) fn mark_page(&mut self, page: u32) {
        let extent = page / EXTENT_PAGES;
        let word = crate::sim::bytes::length(extent / 64);
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            *word |= 1 << (extent % 64);
        }
    }

    /// Whether no extent is in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Adds what is in the other.
    pub(crate) fn merge(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine |= theirs;
        }
    }

    /// The pages below `count` whose extents are in it, in order.
    pub(crate) fn pages(&self, count: u32) -> Vec<u32> {
        let extents = (0u32..).zip(&self.0).flat_map(|(index, word)| {
            (0..64)
                .filter(move |bit| word & (1 << bit) != 0)
                .map(move |bit| index * 64 + bit)
        });
        extents
            .flat_map(|extent| {
                let first = extent.saturating_mul(EXTENT_PAGES);
                first..first.saturating_add(EXTENT_PAGES)
            })
            .filter(|page| *page < count)
            .collect()
    }
}

/// Written as hexadecimal text: short, and the rest of the state is readable text as well.
impl serde::Serialize for ExtentMap {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Hex(&self.0))
    }
}

struct Hex<'a>(&'a [u64]);

impl std::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|word| write!(f, "{word:016x}"))
    }
}

impl<'de> serde::Deserialize<'de> for ExtentMap {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let text = String::deserialize(deserializer)?;
        text.as_bytes()
            .chunks(16)
            .map(|digits| {
                let digits = std::str::from_utf8(digits).map_err(D::Error::custom)?;
                u64::from_str_radix(digits, 16).map_err(D::Error::custom)
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_marks_its_whole_extent() {
        let mut map = ExtentMap::default();
        map.mark_page(9);
        map.mark_page(8 * 64 + 1);
        assert_eq!(map.pages(12), [8, 9, 10, 11]);
        assert_eq!(map.pages(514), [8, 9, 10, 11, 12, 13, 14, 15, 512, 513]);
    }

    #[test]
    fn the_text_form_goes_both_ways() {
        let mut map = ExtentMap::default();
        map.mark_page(77);
        map.mark_page(7000);
        let text = serde_json::to_string(&map).unwrap();
        assert_eq!(serde_json::from_str::<ExtentMap>(&text).unwrap(), map);
    }
}
