//! A digest of rows.

use std::fmt;

/// A 128-bit digest (FNV-1a) of rows in the order of their keys. It tells states apart; it is no
/// protection against somebody who wants two states to look the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest {
    state: u128,
    rows: u64,
}

const OFFSET_BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

impl Default for Digest {
    /// The digest of no rows.
    fn default() -> Self {
        Self {
            state: OFFSET_BASIS,
            rows: 0,
        }
    }
}

impl Digest {
    /// Adds a row.
    pub fn add(&mut self, key: u64, value: &[u8]) {
        self.rows += 1;
        self.bytes(&key.to_le_bytes());
        self.bytes(&(value.len() as u64).to_le_bytes());
        self.bytes(value);
    }

    /// How many rows were added.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.state = (self.state ^ u128::from(*byte)).wrapping_mul(PRIME);
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.state)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self}, {} rows)", self.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_one_row_ends_matters() {
        let (mut one, mut two) = (Digest::default(), Digest::default());
        one.add(1, b"ab");
        two.add(1, b"a");
        assert_ne!(one, two);
        assert_eq!(one.rows(), 1);
    }
}
