//! CRC-32C (Castagnoli), the one checksum of the formats.
//!
//! Polynomial `0x1EDC6F41`, reflected, initial value and final XOR `0xFFFF_FFFF`; the checksum of
//! `123456789` is `0xE306_9283`.

/// The checksum of `bytes`.
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}

/// The checksum of everything that gave `crc`, followed by `bytes`. The checksum of nothing is 0.
///
/// ```
/// use vab_format::checksum;
///
/// let whole = checksum::crc32c(b"123456789");
/// assert_eq!(checksum::append(checksum::crc32c(b"1234"), b"56789"), whole);
/// assert_eq!(checksum::append(0, b"123456789"), whole);
/// ```
pub fn append(crc: u32, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc, bytes)
}

/// The checksum of two pieces one after the other, from the checksum of each and the length of
/// the second in bytes.
pub fn combine(first: u32, second: u32, second_length: u64) -> u32 {
    // A length beyond the address space cannot come from bytes that were in memory in one piece;
    // it is added in parts, each of which is the checksum arithmetic of that many zero bytes.
    if let Ok(length) = usize::try_from(second_length) {
        return crc32c::crc32c_combine(first, second, length);
    }
    let half = second_length / 2;
    let shifted = combine(first, 0, half);
    combine(shifted, second, second_length - half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_check_value() {
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    }

    #[test]
    fn nothing_has_the_checksum_zero() {
        assert_eq!(crc32c(b""), 0);
    }

    #[test]
    fn two_pieces_combine() {
        let (a, b) = (b"a first piece".as_slice(), b"and another".as_slice());
        assert_eq!(
            combine(crc32c(a), crc32c(b), b.len() as u64),
            append(crc32c(a), b)
        );
    }
}
