//! Pages of 8 KiB with rows on them.

mod store;

pub(crate) use store::PageStore;

use vab_chain::Lsn;

use crate::sim::bytes::{Put, Short, Take, length, small_u16};

/// Bytes of a page.
pub(crate) const PAGE_SIZE: usize = 8192;

const HEADER: usize = 64;
const CHECKSUM_AT: usize = 8;
const MAGIC: [u8; 4] = *b"VPG1";
const ROW_HEADER: usize = 10;

/// The longest value of a row, in bytes: a row has to fit on a page.
pub const MAX_VALUE: usize = PAGE_SIZE - HEADER - ROW_HEADER;

/// A page in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) id: u32,
    /// The last log record that changed the page.
    pub(crate) lsn: Lsn,
    rows: Vec<Row>,
    used: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    key: u64,
    value: Box<[u8]>,
}

/// What is wrong with a page's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Damaged;

impl From<Short> for Damaged {
    fn from(_: Short) -> Self {
        Self
    }
}

impl Page {
    /// A page without rows.
    pub(crate) fn empty(id: u32, lsn: Lsn) -> Self {
        Self {
            id,
            lsn,
            rows: Vec::new(),
            used: HEADER,
        }
    }

    pub(crate) fn row(&self, key: u64) -> Option<&[u8]> {
        let at = self.find(key).ok()?;
        self.rows.get(at).map(|row| &*row.value)
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.rows.iter().map(|row| (row.key, &*row.value))
    }

    /// Whether a row would fit, in place of the row of the same key if there is one.
    pub(crate) fn fits(&self, key: u64, value: &[u8]) -> bool {
        let freed = self.row(key).map_or(0, |old| ROW_HEADER + old.len());
        self.used - freed + ROW_HEADER + value.len() <= PAGE_SIZE
    }

    /// Bytes left for rows.
    pub(crate) fn room(&self) -> usize {
        PAGE_SIZE.saturating_sub(self.used)
    }

    /// Puts a row, or removes it.
    pub(crate) fn set(&mut self, key: u64, value: Option<&[u8]>) {
        let size = |value: &[u8]| ROW_HEADER + value.len();
        match (self.find(key), value) {
            (Ok(at), Some(new)) => {
                if let Some(row) = self.rows.get_mut(at) {
                    self.used = self.used - size(&row.value) + size(new);
                    row.value = new.into();
                }
            }
            (Ok(at), None) => {
                let row = self.rows.remove(at);
                self.used -= size(&row.value);
            }
            (Err(at), Some(new)) => {
                self.used += size(new);
                let value = new.into();
                self.rows.insert(at, Row { key, value });
            }
            (Err(_), None) => {}
        }
    }

    /// Takes all rows off.
    pub(crate) fn clear(&mut self) {
        *self = Self::empty(self.id, self.lsn);
    }

    fn find(&self, key: u64) -> Result<usize, usize> {
        self.rows.binary_search_by_key(&key, |row| row.key)
    }

    /// Adds the page's 8192 bytes to a buffer.
    pub(crate) fn encode(&self, to: &mut Vec<u8>) {
        let start = to.len();
        to.put(&MAGIC);
        to.put(&self.id.to_le_bytes());
        to.put(&[0; 4]);
        to.put_lsn(self.lsn);
        to.put(&small_u16(self.rows.len()).to_le_bytes());
        to.resize(start + HEADER, 0);
        for row in &self.rows {
            to.put(&row.key.to_le_bytes());
            to.put(&small_u16(row.value.len()).to_le_bytes());
            to.put(&row.value);
        }
        to.resize(start + PAGE_SIZE, 0);
        if let Some(page) = to.get_mut(start..) {
            let checksum = crc32c::crc32c(page);
            if let Some(field) = page.get_mut(CHECKSUM_AT..CHECKSUM_AT + 4) {
                field.copy_from_slice(&checksum.to_le_bytes());
            }
        }
    }

    /// Reads a page's bytes. A page of zeros is one that was never written.
    pub(crate) fn decode(id: u32, bytes: &[u8]) -> Result<Self, Damaged> {
        let Some(lsn) = check(id, bytes)? else {
            return Ok(Self::empty(id, Lsn::ZERO));
        };
        let mut fields = Take(bytes);
        fields.bytes(22)?;
        let count = fields.u16()?;
        fields.bytes(HEADER - 24)?;
        let mut page = Self::empty(id, lsn);
        page.rows.reserve(usize::from(count));
        for _ in 0..count {
            let key = fields.u64()?;
            let size = length(u32::from(fields.u16()?));
            let value = fields.bytes(size)?.into();
            page.used += ROW_HEADER + size;
            page.rows.push(Row { key, value });
        }
        if page.rows.is_sorted_by(|a, b| a.key < b.key) {
            Ok(page)
        } else {
            Err(Damaged)
        }
    }
}

/// Checks a page's identity and checksum; the LSN in its header, `None` for a page of zeros.
pub(crate) fn check(id: u32, bytes: &[u8]) -> Result<Option<Lsn>, Damaged> {
    if bytes.len() != PAGE_SIZE {
        return Err(Damaged);
    }
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let (before, rest) = bytes.split_at_checked(CHECKSUM_AT).ok_or(Damaged)?;
    let mut rest = Take(rest);
    let stored = rest.u32()?;
    let sum = crc32c::crc32c(before);
    let sum = crc32c::crc32c_append(sum, &[0; 4]);
    let sum = crc32c::crc32c_append(sum, rest.0);
    let mut before = Take(before);
    if before.array()? != MAGIC || before.u32()? != id || sum != stored {
        return Err(Damaged);
    }
    Ok(Some(rest.lsn()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Page {
        let mut page = Page::empty(3, Lsn::new(34, 16, 2));
        page.set(9, Some(b"nine"));
        page.set(2, Some(&[7; 300]));
        page
    }

    #[test]
    fn the_bytes_go_both_ways() {
        let mut bytes = Vec::new();
        sample().encode(&mut bytes);
        assert_eq!(bytes.len(), PAGE_SIZE);
        assert_eq!(Page::decode(3, &bytes), Ok(sample()));
        assert_eq!(check(3, &bytes), Ok(Some(Lsn::new(34, 16, 2))));
    }

    #[test]
    fn one_flipped_bit_anywhere_is_found() {
        let mut bytes = Vec::new();
        sample().encode(&mut bytes);
        for at in (0..PAGE_SIZE).step_by(61) {
            bytes[at] ^= 4;
            assert_eq!(Page::decode(3, &bytes), Err(Damaged), "byte {at}");
            bytes[at] ^= 4;
        }
    }

    #[test]
    fn a_page_in_the_wrong_place_is_found() {
        let mut bytes = Vec::new();
        sample().encode(&mut bytes);
        assert_eq!(Page::decode(4, &bytes), Err(Damaged));
    }

    #[test]
    fn the_longest_value_fits_and_no_longer_one() {
        let mut page = Page::empty(0, Lsn::ZERO);
        assert!(page.fits(1, &[0; MAX_VALUE]));
        assert!(!page.fits(1, &[0; MAX_VALUE + 1]));
        page.set(1, Some(&[1; MAX_VALUE]));
        assert_eq!(page.room(), 0);
        assert!(page.fits(1, &[2; MAX_VALUE]), "in place of the old one");
        assert!(!page.fits(2, b""));
        page.set(1, None);
        assert_eq!(page, Page::empty(0, Lsn::ZERO));
    }
}
