//! Names of WAL segments.

use super::Position;

/// A WAL segment: so many bytes of the log, on one timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segment {
    /// The timeline it was written on. What it holds from before the timeline began is a copy of
    /// the parent's.
    pub timeline: u32,
    /// Its first byte.
    pub start: Position,
    /// Its length in bytes.
    pub size: u32,
}

impl Segment {
    /// From a file name, such as `000000010000000A000000FE`; `None` when it is none.
    pub fn from_name(name: &str, size: u32) -> Option<Self> {
        let hex = name.len() == 24
            && name
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'));
        if !hex || !size.is_power_of_two() {
            return None;
        }
        let part = |range| u32::from_str_radix(name.get(range)?, 16).ok();
        let (timeline, high, number) = (part(0..8)?, part(8..16)?, part(16..24)?);
        let low = u32::try_from(u64::from(number) * u64::from(size)).ok()?;
        Some(Self {
            timeline,
            start: Position(u64::from(high) << 32 | u64::from(low)),
            size,
        })
    }

    /// Its file name.
    pub fn name(self) -> String {
        let number = self.start.low() / self.size.max(1);
        let (timeline, high) = (self.timeline, self.start.high());
        format!("{timeline:08X}{high:08X}{number:08X}")
    }

    /// The position after its last byte.
    pub fn end(self) -> Position {
        Position(self.start.0.saturating_add(self.size.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: u32 = 16 << 20;

    #[test]
    fn a_name_says_timeline_and_place() {
        let segment = Segment::from_name("000000020000000A000000FE", SIZE).unwrap();
        assert_eq!(segment.timeline, 2);
        assert_eq!(segment.start, Position(0xA_FE00_0000));
        assert_eq!(segment.end(), Position(0xA_FF00_0000));
        assert_eq!(segment.name(), "000000020000000A000000FE");
    }

    #[test]
    fn the_last_segment_before_a_new_high_half_ends_there() {
        let segment = Segment::from_name("000000010000000A000000FF", SIZE).unwrap();
        assert_eq!(segment.end(), Position(0xB_0000_0000));
    }

    #[test]
    fn other_files_of_an_archive_are_no_segments() {
        for name in [
            "00000002.history",
            "000000010000000000000002.00000028.backup",
            "000000010000000000000003.partial",
            "00000001000000000000000g",
            // There are only 256 segments of 16 MiB in each 4 GiB.
            "000000010000000000000100",
        ] {
            assert_eq!(Segment::from_name(name, SIZE), None, "{name}");
        }
    }
}
