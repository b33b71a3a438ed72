//! Reading and writing little-endian fields, without a panic on any input.

use vab_chain::Lsn;

/// What was read is too short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Short;

/// Takes fields from the front of a slice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Take<'a>(pub(crate) &'a [u8]);

macro_rules! integers {
    ($($name:ident $type:ty, $size:literal;)*) => {$(
        pub(crate) fn $name(&mut self) -> Result<$type, Short> {
            Ok(<$type>::from_le_bytes(self.array::<$size>()?))
        }
    )*};
}

impl<'a> Take<'a> {
    integers! {
        u8 u8, 1;
        u16 u16, 2;
        u32 u32, 4;
        u64 u64, 8;
        i64 i64, 8;
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Short> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(Short)?;
        self.0 = rest;
        Ok(*head)
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Result<&'a [u8], Short> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(Short)?;
        self.0 = rest;
        Ok(head)
    }

    /// Ten bytes: virtual log file, block, slot.
    pub(crate) fn lsn(&mut self) -> Result<Lsn, Short> {
        Ok(Lsn::new(self.u32()?, self.u32()?, self.u16()?))
    }
}

/// Puts fields at the end of a buffer.
pub(crate) trait Put {
    fn put(&mut self, bytes: &[u8]);

    fn put_lsn(&mut self, lsn: Lsn) {
        self.put(&lsn.vlf().to_le_bytes());
        self.put(&lsn.block().to_le_bytes());
        self.put(&lsn.slot().to_le_bytes());
    }
}

impl Put for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// A length that is known to be small; more is cut to the greatest value, which a reader's
/// checks then catch.
pub(crate) fn small_u16(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

/// As [`small_u16`], for 32 bits.
pub(crate) fn small_u32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// A 32-bit number as a length; the crate needs at least 32 bits of address space.
pub(crate) fn length(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
