//! Log blocks: what is written to the log at once.
//!
//! A block is 1 to 120 units of 512 bytes: a header of 44 bytes, then records, each behind its
//! length (`u16`), then zeros. The number of a record in its block, from 1, is the slot of its
//! LSN; the place of the block in its virtual log file, in units, is the block of its LSN.

use uuid::Uuid;
use vab_chain::Lsn;

use super::record::Record;
use crate::sim::bytes::{Put, Short, Take, length, small_u16};

/// Bytes of a unit.
pub(crate) const UNIT: usize = 512;
/// The most bytes of a block.
pub(crate) const MAX_BLOCK: usize = 120 * UNIT;

/// No log comes near these; larger numbers are those of a bad block.
const MAX_VLF: u32 = 1 << 31;
const MAX_PLACE: u32 = 1 << 24;

/// Bytes of a block's header.
const HEADER: usize = 44;
const MAGIC: [u8; 4] = *b"VLB1";
const CHECKSUM_AT: usize = 24;

/// The header of a block that was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockHeader {
    pub(crate) vlf: u32,
    /// Place in the virtual log file, in units.
    pub(crate) block: u32,
    /// Length in units.
    pub(crate) units: u16,
    pub(crate) records: u16,
    /// Where the log ended before this block: the virtual log file, and the place in it. That is
    /// the block's own place, or an earlier file's end.
    pub(crate) continues: (u32, u32),
}

impl BlockHeader {
    /// The length of the block whose bytes begin here, if they can be those of a block at all.
    pub(crate) fn peek_length(bytes: &[u8]) -> Option<usize> {
        let mut from = Take(bytes);
        if from.array().ok()? != MAGIC {
            return None;
        }
        from.bytes(8).ok()?;
        let size = usize::from(from.u16().ok()?) * UNIT;
        (size > 0 && size <= MAX_BLOCK).then_some(size)
    }

    /// The position behind the block.
    pub(crate) fn end(&self) -> Lsn {
        Lsn::new(
            self.vlf,
            self.block.saturating_add(u32::from(self.units)),
            1,
        )
    }

    /// The LSN of a record of the block.
    pub(crate) fn lsn(&self, slot: u16) -> Lsn {
        Lsn::new(self.vlf, self.block, slot)
    }
}

/// A whole block: checked bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block<'a> {
    pub(crate) header: BlockHeader,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Block<'a> {
    /// Checks the bytes of one whole block.
    pub(crate) fn check(bytes: &'a [u8]) -> Result<Self, Short> {
        if BlockHeader::peek_length(bytes) != Some(bytes.len()) {
            return Err(Short);
        }
        let mut from = Take(bytes);
        from.bytes(4)?;
        let (vlf, block, units, records) = (from.u32()?, from.u32()?, from.u16()?, from.u16()?);
        let continues = (from.u32()?, from.u32()?);
        let stored = from.u32()?;
        if checksum(bytes)? != stored || vlf > MAX_VLF || block > MAX_PLACE {
            return Err(Short);
        }
        let header = BlockHeader {
            vlf,
            block,
            units,
            records,
            continues,
        };
        Ok(Self { header, bytes })
    }

    /// The records with their LSNs, in order.
    pub(crate) fn records(&self) -> impl Iterator<Item = Result<(Lsn, Record<'a>), Short>> {
        self.raw_records().map(|raw| {
            let (lsn, bytes) = raw?;
            Ok((lsn, Record::decode(bytes)?))
        })
    }

    fn raw_records(&self) -> impl Iterator<Item = Result<(Lsn, &'a [u8]), Short>> {
        let header = self.header;
        let mut from = Take(self.bytes.get(HEADER..).unwrap_or_default());
        (1..=header.records).map(move |slot| {
            let size = length(u32::from(from.u16()?));
            Ok((header.lsn(slot), from.bytes(size)?))
        })
    }

    /// The same block at the same place with only the records before an LSN; `None` if that
    /// leaves none.
    pub(crate) fn cut(&self, stop: Lsn, fork: Uuid) -> Option<Vec<u8>> {
        let mut kept = BlockBuilder::default();
        for (lsn, record) in self.raw_records().filter_map(Result::ok) {
            if lsn >= stop || !kept.add(record) {
                break;
            }
        }
        let BlockHeader {
            vlf,
            block,
            continues,
            ..
        } = self.header;
        (!kept.is_empty()).then(|| kept.finish((vlf, block), continues, fork))
    }
}

fn checksum(bytes: &[u8]) -> Result<u32, Short> {
    let (before, rest) = bytes.split_at_checked(CHECKSUM_AT).ok_or(Short)?;
    let (_, after) = rest.split_at_checked(4).ok_or(Short)?;
    let sum = crc32c::crc32c(before);
    let sum = crc32c::crc32c_append(sum, &[0; 4]);
    Ok(crc32c::crc32c_append(sum, after))
}

/// A block that records are added to.
#[derive(Debug, Default)]
pub(crate) struct BlockBuilder {
    bytes: Vec<u8>,
    records: u16,
}

impl BlockBuilder {
    pub(crate) fn is_empty(&self) -> bool {
        self.records == 0
    }

    pub(crate) fn records(&self) -> u16 {
        self.records
    }

    /// Adds an encoded record; `false` if there is no room for it.
    #[must_use]
    pub(crate) fn add(&mut self, record: &[u8]) -> bool {
        if self.bytes.is_empty() {
            self.bytes.resize(HEADER, 0);
        }
        if self.bytes.len() + 2 + record.len() > MAX_BLOCK {
            return false;
        }
        self.bytes.put(&small_u16(record.len()).to_le_bytes());
        self.bytes.put(record);
        self.records += 1;
        true
    }

    /// The whole block at its place, behind the place where the log ended; the builder is empty
    /// afterwards.
    pub(crate) fn finish(
        &mut self,
        (vlf, block): (u32, u32),
        continues: (u32, u32),
        fork: Uuid,
    ) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.bytes);
        let units = bytes.len().div_ceil(UNIT);
        bytes.resize(units * UNIT, 0);
        let mut header = Vec::with_capacity(HEADER);
        header.put(&MAGIC);
        header.put(&vlf.to_le_bytes());
        header.put(&block.to_le_bytes());
        header.put(&small_u16(units).to_le_bytes());
        header.put(&self.records.to_le_bytes());
        header.put(&continues.0.to_le_bytes());
        header.put(&continues.1.to_le_bytes());
        header.put(&[0; 4]);
        header.put(fork.as_bytes());
        put_over(&mut bytes, 0, &header);
        let sum = checksum(&bytes).unwrap_or_default();
        put_over(&mut bytes, CHECKSUM_AT, &sum.to_le_bytes());
        self.records = 0;
        bytes
    }
}

fn put_over(bytes: &mut [u8], at: usize, field: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + field.len()) {
        place.copy_from_slice(field);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vab_chain::ServerTime;

    fn sample() -> Vec<u8> {
        let mut builder = BlockBuilder::default();
        for tx in 0..3 {
            let mut record = Vec::new();
            let time = ServerTime::from_micros(5);
            Record::Begin { tx, time }.encode(&mut record);
            assert!(builder.add(&record));
        }
        builder.finish((34, 16), (34, 16), Uuid::from_u128(9))
    }

    fn lsns(bytes: &[u8]) -> Vec<Lsn> {
        let block = Block::check(bytes).unwrap();
        block.records().map(|r| r.unwrap().0).collect()
    }

    #[test]
    fn records_have_the_slots_1_and_up() {
        let bytes = sample();
        assert_eq!(bytes.len(), UNIT);
        assert_eq!(lsns(&bytes), [1, 2, 3].map(|slot| Lsn::new(34, 16, slot)));
        let block = Block::check(&bytes).unwrap();
        assert_eq!(block.header.end(), Lsn::new(34, 17, 1));
    }

    #[test]
    fn any_changed_byte_is_found() {
        let mut bytes = sample();
        for at in 0..bytes.len() {
            bytes[at] ^= 0x10;
            assert!(Block::check(&bytes).is_err(), "byte {at}");
            bytes[at] ^= 0x10;
        }
    }

    #[test]
    fn a_cut_block_keeps_its_place_and_the_records_before_the_cut() {
        let bytes = sample();
        let block = Block::check(&bytes).unwrap();
        let cut = block.cut(Lsn::new(34, 16, 3), Uuid::nil()).unwrap();
        assert_eq!(lsns(&cut), [1, 2].map(|slot| Lsn::new(34, 16, slot)));
        assert_eq!(block.cut(Lsn::new(34, 16, 1), Uuid::nil()), None);
    }

    #[test]
    fn a_full_block_takes_no_more() {
        let mut builder = BlockBuilder::default();
        while builder.add(&[0; 1000]) {}
        assert_eq!(
            builder.finish((1, 16), (1, 16), Uuid::nil()).len(),
            MAX_BLOCK
        );
        assert!(builder.is_empty());
    }
}
