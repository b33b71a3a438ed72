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
///
/// Takes well under a microsecond for the length of any block: movers, writers and readers do it
/// for every one.
pub fn combine(first: u32, second: u32, mut second_length: u64) -> u32 {
    // A checksum is a polynomial, and a byte behind it multiplies it with x to the 8th.
    let mut shifted = first;
    let mut power = X_TO_THE_8TH;
    while second_length > 0 {
        if second_length & 1 == 1 {
            shifted = multiply(shifted, power);
        }
        power = multiply(power, power);
        second_length >>= 1;
    }
    shifted ^ second
}

/// Without its highest term, and as in a checksum: the lowest power of x is the highest bit.
const POLYNOMIAL: u32 = 0x82F6_3B78;
const X_TO_THE_8TH: u32 = 0x0080_0000;

/// The product of two polynomials, modulo that of the checksum.
fn multiply(one: u32, other: u32) -> u32 {
    let (mut product, mut times_x) = (0, other);
    for power in 0..u32::BITS {
        let has_power = (one >> (31 - power)) & 1;
        product ^= times_x & 0_u32.wrapping_sub(has_power);
        let overflows = times_x & 1;
        times_x = (times_x >> 1) ^ (POLYNOMIAL & 0_u32.wrapping_sub(overflows));
    }
    product
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

    #[test]
    fn pieces_of_any_length_combine_as_if_they_were_one() {
        let bytes: Vec<u8> = (0..=250).cycle().take(70_000).collect();
        let whole = crc32c(&bytes);
        for length in [0, 1, 2, 3, 255, 256, 257, 4096, 65_535, 65_536, 70_000] {
            let (first, second) = bytes.split_at(bytes.len() - length);
            let combined = combine(crc32c(first), crc32c(second), length as u64);
            assert_eq!(combined, whole, "{length} bytes behind the first piece");
        }
    }

    #[test]
    fn more_bytes_than_fit_in_memory_combine() {
        let piece = crc32c(&vec![0; 1 << 22]);
        let halves = (22..34).fold(piece, |crc, power| combine(crc, crc, 1 << power));
        let pieces = (1..1 << 12).fold(piece, |crc, _| combine(crc, piece, 1 << 22));
        assert_eq!(halves, pieces);
    }
}
