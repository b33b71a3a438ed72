//! Unpacks LZ77+Huffman as [MS-XCA] describes it (XPRESS Huffman): a table of 512 code lengths of
//! four bits, then bits in little-endian 16-bit words with literal bytes between them.

const TABLE: usize = 256;
const SYMBOLS: usize = 512;
const LONGEST: usize = 15;
const SHORTEST_MATCH: usize = 3;

/// Unpacks one chunk to exactly `length` bytes; `None` when it does not hold them.
pub(super) fn unpack(chunk: &[u8], length: usize) -> Option<Vec<u8>> {
    let (lengths, _) = chunk.split_at_checked(TABLE)?;
    let codes = Codes::new(lengths)?;
    let mut bits = Bits::new(chunk, TABLE);
    let mut out = Vec::with_capacity(length.min(1 << 17));
    while out.len() < length {
        let symbol = codes.next(&mut bits)?;
        match u8::try_from(symbol) {
            Ok(literal) => out.push(literal),
            Err(_) => copy(&mut out, &mut bits, symbol - 256, length)?,
        }
    }
    bits.is_within().then_some(out)
}

/// Repeats earlier bytes: four bits of the symbol say how many, four how far back.
fn copy(out: &mut Vec<u8>, bits: &mut Bits<'_>, symbol: u16, limit: usize) -> Option<()> {
    let mut count = usize::from(symbol & 15);
    if count == 15 {
        count = match bits.byte()? {
            255 => match bits.word()? {
                0 => usize::try_from(bits.double_word()?).ok()?,
                count => usize::from(count),
            },
            count => usize::from(count).checked_add(15)?,
        };
        if count < 15 {
            return None;
        }
    }
    count = count.checked_add(SHORTEST_MATCH)?;
    let width = u32::from(symbol >> 4);
    let back = (1 << width) + usize::try_from(bits.take(width)).ok()?;
    let from = out.len().checked_sub(back)?;
    if count > limit.checked_sub(out.len())? {
        return None;
    }
    for at in from..from.checked_add(count)? {
        out.push(*out.get(at)?);
    }
    Some(())
}

/// The symbol and the length of the code for every 15 bits that can come next.
struct Codes(Vec<(u16, u8)>);

impl Codes {
    /// `None` when the lengths are not those of a complete code.
    fn new(packed: &[u8]) -> Option<Self> {
        let lengths: Vec<u8> = packed.iter().flat_map(|two| [two & 15, two >> 4]).collect();
        if lengths.len() != SYMBOLS {
            return None;
        }
        let mut table = Vec::with_capacity(1 << LONGEST);
        for length in 1..=15_u8 {
            for (symbol, _) in (0_u16..).zip(&lengths).filter(|(_, it)| **it == length) {
                let entries = 1_usize << (LONGEST - usize::from(length));
                let end = table.len().checked_add(entries)?;
                if end > 1 << LONGEST {
                    return None;
                }
                table.resize(end, (symbol, length));
            }
        }
        (table.len() == 1 << LONGEST).then_some(Self(table))
    }

    fn next(&self, bits: &mut Bits<'_>) -> Option<u16> {
        let index = usize::try_from(bits.ahead >> (32 - LONGEST)).ok()?;
        let (symbol, length) = *self.0.get(index)?;
        bits.take(length.into());
        bits.is_within().then_some(symbol)
    }
}

/// Bits that come next, and the bytes behind them.
struct Bits<'c> {
    chunk: &'c [u8],
    /// Where the next word or byte is.
    at: usize,
    /// The next bits, the first the most significant.
    ahead: u32,
    /// How many bits beyond the next 16 are there.
    extra: i32,
}

impl<'c> Bits<'c> {
    fn new(chunk: &'c [u8], at: usize) -> Self {
        let mut bits = Self {
            chunk,
            at,
            ahead: 0,
            extra: 16,
        };
        bits.ahead = u32::from(bits.padded_word()) << 16;
        bits.ahead |= u32::from(bits.padded_word());
        bits
    }

    /// Takes at most 15 bits.
    fn take(&mut self, count: u32) -> u32 {
        let value = self.ahead.checked_shr(32 - count).unwrap_or(0);
        self.ahead <<= count;
        self.extra -= count.cast_signed();
        if self.extra < 0 {
            let shift = self.extra.unsigned_abs();
            self.ahead |= u32::from(self.padded_word()) << shift;
            self.extra += 16;
        }
        value
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.chunk.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn word(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes([self.byte()?, self.byte()?]))
    }

    fn double_word(&mut self) -> Option<u32> {
        Some(u32::from(self.word()?) | u32::from(self.word()?) << 16)
    }

    /// The next word; zeros behind the end, where bits are looked at but not meant.
    fn padded_word(&mut self) -> u16 {
        let at = self.at;
        self.at = at.saturating_add(2);
        let byte = |at: usize| self.chunk.get(at).copied().unwrap_or(0);
        u16::from_le_bytes([byte(at), byte(at.saturating_add(1))])
    }

    /// Whether no more was taken than the chunk has, up to the words that are looked ahead.
    fn is_within(&self) -> bool {
        self.at <= self.chunk.len().saturating_add(4)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The first example of the specification: the alphabet, all of it literals.
    fn alphabet() -> Vec<u8> {
        let mut chunk = vec![0; TABLE];
        chunk[48] = 0x50;
        chunk[49..59].fill(0x55);
        chunk[59..62].copy_from_slice(&[0x45, 0x44, 0x04]);
        chunk[128] = 0x04;
        chunk.extend([0xd8, 0x52, 0x3e, 0xd7, 0x94, 0x11, 0x5b, 0xe9, 0x19, 0x5f]);
        chunk.extend([0xf9, 0xd6, 0x7c, 0xdf, 0x8d, 0x04, 0x00, 0x00, 0x00, 0x00]);
        chunk
    }

    #[test]
    fn literals() {
        let expected = b"abcdefghijklmnopqrstuvwxyz";
        assert_eq!(unpack(&alphabet(), 26).as_deref(), Some(&expected[..]));
    }

    #[test]
    fn a_chunk_that_ends_too_early_is_refused() {
        assert_eq!(unpack(&alphabet()[..TABLE + 8], 26), None);
    }

    #[test]
    fn an_incomplete_code_is_refused() {
        assert_eq!(unpack(&[0; 300], 1), None);
        assert_eq!(unpack(&alphabet()[..100], 1), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(chunk in prop::collection::vec(any::<u8>(), 0..2000), length in 0_usize..70_000) {
            if let Some(out) = unpack(&chunk, length) {
                prop_assert_eq!(out.len(), length);
            }
        }

        /// All codes of nine bits: complete, so that the bits behind it are looked at.
        #[test]
        fn no_bits_panic(bits in prop::collection::vec(any::<u8>(), 0..2000), length in 0_usize..70_000) {
            let mut chunk = vec![0x99; TABLE];
            chunk.extend(bits);
            if let Some(out) = unpack(&chunk, length) {
                prop_assert_eq!(out.len(), length);
            }
        }
    }
}
