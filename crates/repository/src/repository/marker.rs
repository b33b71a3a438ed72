//! The file that says which repository this is.

use uuid::Uuid;
use vab_chain::UtcTime;
use vab_format::checksum::crc32c;

/// The layout this program reads and writes.
const VERSION: u32 = 1;
/// The longest marker that is read, in bytes.
pub(super) const LIMIT: u64 = 4096;

/// Which repository this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    pub(super) id: Uuid,
    pub(super) created: UtcTime,
}

/// Why a marker cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MarkerError {
    /// A later version of the layout.
    Newer(u32),
    /// Not a marker, or a damaged one.
    Damaged,
}

impl Marker {
    pub(super) fn to_text(self) -> String {
        let text = format!(
            "vab-repository {VERSION}\nid {}\ncreated {}\n",
            self.id,
            self.created.as_micros()
        );
        let line = checksum_line(&text);
        text + &line
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, MarkerError> {
        Self::parse(bytes).unwrap_or(Err(MarkerError::Damaged))
    }

    fn parse(bytes: &[u8]) -> Option<Result<Self, MarkerError>> {
        let text = std::str::from_utf8(bytes).ok()?;
        // The checksum is the last line in every version, so that damage is not taken for a
        // later one.
        let (covered, crc) = text.split_at_checked(text.rfind("crc32c ")?)?;
        if crc != checksum_line(covered) {
            return None;
        }
        let mut lines = covered.lines();
        let version: u32 = lines
            .next()?
            .strip_prefix("vab-repository ")?
            .parse()
            .ok()?;
        if version > VERSION {
            return Some(Err(MarkerError::Newer(version)));
        }
        let id = lines.next()?.strip_prefix("id ")?.parse().ok()?;
        let created = lines.next()?.strip_prefix("created ")?.parse().ok()?;
        let created = UtcTime::from_micros(created);
        Some(Ok(Self { id, created }))
    }
}

fn checksum_line(covered: &str) -> String {
    format!("crc32c {:08x}\n", crc32c(covered.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKER: Marker = Marker {
        id: Uuid::from_u128(7),
        created: UtcTime::from_micros(9),
    };

    #[test]
    fn a_marker_goes_both_ways() {
        assert_eq!(Marker::from_bytes(MARKER.to_text().as_bytes()), Ok(MARKER));
    }

    #[test]
    fn a_later_layout_is_refused_unless_it_is_damage() {
        let later = "vab-repository 2\nmore\n";
        let whole = format!("{later}{}", checksum_line(later));
        assert_eq!(
            Marker::from_bytes(whole.as_bytes()),
            Err(MarkerError::Newer(2))
        );
        let damaged = MARKER.to_text().replacen(" 1\n", " 3\n", 1);
        assert_eq!(
            Marker::from_bytes(damaged.as_bytes()),
            Err(MarkerError::Damaged)
        );
    }

    #[test]
    fn a_marker_cut_or_changed_is_damaged() {
        let whole = MARKER.to_text();
        for length in 0..whole.len() {
            assert!(
                Marker::from_bytes(&whole.as_bytes()[..length]).is_err(),
                "{length}"
            );
        }
        for at in 0..whole.len() {
            let mut bytes = whole.clone().into_bytes();
            bytes[at] ^= 1;
            assert!(Marker::from_bytes(&bytes).is_err(), "byte {at}");
        }
    }
}
