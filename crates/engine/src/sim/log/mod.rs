//! The write-ahead log: virtual log files of blocks of records.
//!
//! Each virtual log file is a file of its own, so that truncation removes whole ones. The first
//! 16 units are left free, as SQL Server's header has them.

mod block;
mod record;

pub(crate) use block::{Block, BlockHeader, MAX_BLOCK, UNIT};
pub(crate) use record::Record;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use block::BlockBuilder;
use uuid::Uuid;
use vab_chain::Lsn;

use crate::error::EngineError;
use crate::sim::bytes::{Short, small_u32};
use crate::sim::volume::{Storage, Volume, offset};

/// The first block of a virtual log file.
pub(crate) const FIRST_BLOCK: u32 = 16;

/// The log of one database.
#[derive(Debug)]
pub(crate) struct Log {
    /// Units of a virtual log file.
    capacity: u32,
    files: BTreeMap<u32, VirtualLogFile>,
    /// The virtual log file and block that the open block will be written to.
    vlf: u32,
    next: u32,
    /// Where the log ends, without the open block.
    tail: (u32, u32),
    open: BlockBuilder,
    scratch: Vec<u8>,
    fork: Uuid,
    unsynced: bool,
    /// Bytes written since [`Log::reset_written`].
    written: u64,
    /// The block that a record was last read from.
    last_read: Vec<u8>,
}

#[derive(Debug)]
struct VirtualLogFile {
    storage: Storage,
    /// The unit behind the last block.
    end: u32,
    unsynced: bool,
}

fn file_name(vlf: u32) -> String {
    format!("log-{vlf:010}.vlf")
}

impl Log {
    /// An empty log whose first block will be at this LSN's place.
    pub(crate) fn new(capacity_bytes: u32, at: Lsn, fork: Uuid) -> Self {
        Self {
            capacity: capacity_bytes / small_u32(UNIT),
            files: BTreeMap::new(),
            vlf: at.vlf(),
            next: at.block().max(FIRST_BLOCK),
            tail: (at.vlf(), at.block().max(FIRST_BLOCK)),
            open: BlockBuilder::default(),
            scratch: Vec::new(),
            fork,
            unsynced: false,
            written: 0,
            last_read: Vec::new(),
        }
    }

    /// Opens what is on disk. The caller scans from an LSN it knows and then calls [`Log::cut`]
    /// at the end it found.
    pub(crate) fn open(
        capacity_bytes: u32,
        volume: &Volume,
        fork: Uuid,
    ) -> Result<Self, EngineError> {
        let mut log = Self::new(capacity_bytes, Lsn::new(0, FIRST_BLOCK, 1), fork);
        for name in volume.names()? {
            let number = name
                .strip_prefix("log-")
                .and_then(|rest| rest.strip_suffix(".vlf"))
                .and_then(|digits| digits.parse::<u32>().ok());
            if let Some(vlf) = number {
                let storage = volume.open(&name)?;
                let units = usize::try_from(storage.len()?).unwrap_or(usize::MAX) / UNIT;
                let file = VirtualLogFile {
                    storage,
                    end: small_u32(units),
                    unsynced: false,
                };
                log.files.insert(vlf, file);
            }
        }
        if let Some((vlf, file)) = log.files.last_key_value() {
            log.vlf = *vlf;
            log.next = file.end.max(FIRST_BLOCK);
        }
        Ok(log)
    }

    /// The first virtual log file that is there.
    #[cfg(test)]
    pub(crate) fn first_file(&self) -> Option<u32> {
        self.files.keys().next().copied()
    }

    /// Where the next record goes.
    pub(crate) fn end(&self) -> Lsn {
        Lsn::new(self.vlf, self.next, self.open.records() + 1)
    }

    /// Adds a record; durable only after [`Log::sync`].
    pub(crate) fn append(
        &mut self,
        volume: &Volume,
        record: &Record<'_>,
    ) -> Result<Lsn, EngineError> {
        let mut bytes = std::mem::take(&mut self.scratch);
        bytes.clear();
        record.encode(&mut bytes);
        if self.open.is_empty() {
            self.make_room();
        }
        if !self.open.add(&bytes) {
            self.flush(volume)?;
            self.make_room();
            // A record is at most two rows long, and a block holds that.
            let added = self.open.add(&bytes);
            debug_assert!(added, "a record of {} bytes", bytes.len());
        }
        self.scratch = bytes;
        Ok(Lsn::new(self.vlf, self.next, self.open.records()))
    }

    /// Goes to the next virtual log file when this one may not hold another block.
    fn make_room(&mut self) {
        if self.next + small_u32(MAX_BLOCK / UNIT) > self.capacity && self.next > FIRST_BLOCK {
            self.vlf += 1;
            self.next = FIRST_BLOCK;
        }
    }

    /// Closes the open block and writes it.
    pub(crate) fn flush(&mut self, volume: &Volume) -> Result<(), EngineError> {
        if self.open.is_empty() {
            return Ok(());
        }
        let place = (self.vlf, self.next);
        let bytes = self.open.finish(place, self.tail, self.fork);
        let (vlf, block) = (self.vlf, self.next);
        self.write(volume, vlf, block, &bytes)
    }

    fn write(
        &mut self,
        volume: &Volume,
        vlf: u32,
        block: u32,
        bytes: &[u8],
    ) -> Result<(), EngineError> {
        let file = match self.files.entry(vlf) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(VirtualLogFile {
                storage: volume.create(&file_name(vlf))?,
                end: 0,
                unsynced: true,
            }),
        };
        file.storage.write_at(offset(block, UNIT), bytes)?;
        file.end = block.saturating_add(small_u32(bytes.len() / UNIT));
        file.unsynced = true;
        self.vlf = vlf;
        self.next = file.end;
        self.tail = (vlf, file.end);
        self.unsynced = true;
        self.written += bytes.len() as u64;
        self.last_read.clear();
        Ok(())
    }

    /// Makes everything that was added durable.
    pub(crate) fn sync(&mut self, volume: &Volume) -> Result<(), EngineError> {
        self.flush(volume)?;
        if self.unsynced {
            for file in self.files.values_mut().filter(|file| file.unsynced) {
                file.storage.sync()?;
                file.unsynced = false;
            }
            self.unsynced = false;
        }
        Ok(())
    }

    /// Bytes written since [`Log::reset_written`].
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    pub(crate) fn reset_written(&mut self) {
        self.written = 0;
    }

    /// Adds a block that comes from a backup, in its own place, with the records before `stop`
    /// only.
    pub(crate) fn restore(
        &mut self,
        volume: &Volume,
        block: &Block<'_>,
        stop: Option<Lsn>,
    ) -> Result<(), EngineError> {
        let header = block.header;
        match stop.filter(|stop| *stop < header.end()) {
            None => self.write(volume, header.vlf, header.block, block.bytes),
            Some(stop) => match block.cut(stop, self.fork) {
                Some(cut) => self.write(volume, header.vlf, header.block, &cut),
                None => Ok(()),
            },
        }
    }

    /// Begins a new fork at an LSN: the next record goes to a new virtual log file.
    pub(crate) fn fork(&mut self, volume: &Volume, at: Lsn, fork: Uuid) -> Result<(), EngineError> {
        self.flush(volume)?;
        self.fork = fork;
        self.vlf = self.vlf.max(at.vlf()) + 1;
        self.next = FIRST_BLOCK;
        Ok(())
    }

    /// From now on blocks carry this fork.
    pub(crate) fn set_fork(&mut self, fork: Uuid) {
        self.fork = fork;
    }

    /// Removes the virtual log files that end before an LSN.
    pub(crate) fn truncate(&mut self, volume: &Volume, before: Lsn) -> Result<(), EngineError> {
        while let Some((&vlf, _)) = self.files.first_key_value() {
            if vlf >= before.vlf() || vlf >= self.vlf {
                break;
            }
            self.files.remove(&vlf);
            volume.remove(&file_name(vlf))?;
        }
        Ok(())
    }

    /// Removes everything: the log is replaced by that of a backup.
    pub(crate) fn reset(&mut self, volume: &Volume, at: Lsn) -> Result<(), EngineError> {
        while let Some((vlf, _)) = self.files.pop_first() {
            volume.remove(&file_name(vlf))?;
        }
        self.vlf = at.vlf();
        self.next = at.block().max(FIRST_BLOCK);
        self.tail = (self.vlf, self.next);
        self.last_read.clear();
        Ok(())
    }

    /// Removes everything from an end that a scan found: a torn block, or files behind it.
    pub(crate) fn cut(&mut self, volume: &Volume, end: Lsn) -> Result<(), EngineError> {
        while let Some((&vlf, _)) = self.files.last_key_value() {
            if vlf <= end.vlf() {
                break;
            }
            self.files.remove(&vlf);
            volume.remove(&file_name(vlf))?;
        }
        if let Some(file) = self.files.get_mut(&end.vlf())
            && file.end > end.block()
        {
            file.storage.truncate(offset(end.block(), UNIT))?;
            file.end = end.block();
        }
        self.vlf = end.vlf();
        self.next = end.block().max(FIRST_BLOCK);
        self.tail = (self.vlf, self.next);
        self.last_read.clear();
        Ok(())
    }

    /// The end of the block that an LSN is in the middle of; the LSN itself if it is at the begin
    /// of one.
    pub(crate) fn end_at(&mut self, lsn: Lsn) -> Result<Lsn, EngineError> {
        if lsn.slot() <= 1 {
            return Ok(lsn);
        }
        let mut bytes = Vec::new();
        let header = self.read_exactly(lsn.vlf(), lsn.block(), &mut bytes)?;
        Ok(header.map_or(lsn, |header| header.end()))
    }

    /// Reads the block at an LSN, or the first of the next virtual log file if there is none;
    /// its bytes go to `into`. `None` at the end, which is also where a torn block is.
    pub(crate) fn read_block(
        &mut self,
        at: Lsn,
        into: &mut Vec<u8>,
    ) -> Result<Option<BlockHeader>, EngineError> {
        if let Some(header) = self.read_exactly(at.vlf(), at.block(), into)? {
            return Ok(Some(header));
        }
        // Between the last block of one virtual log file and the first of the next is nothing;
        // a fork and a restore leave gaps in the numbers.
        let next = self
            .files
            .range(at.vlf().saturating_add(1)..)
            .next()
            .map(|(vlf, _)| *vlf);
        match next {
            // A block that continues another place shows that log is missing between the two.
            Some(vlf) => Ok(self
                .read_exactly(vlf, FIRST_BLOCK, into)?
                .filter(|header| header.continues == (at.vlf(), at.block()))),
            None => Ok(None),
        }
    }

    fn read_exactly(
        &mut self,
        vlf: u32,
        block: u32,
        into: &mut Vec<u8>,
    ) -> Result<Option<BlockHeader>, EngineError> {
        let Some(file) = self.files.get_mut(&vlf).filter(|file| block < file.end) else {
            return Ok(None);
        };
        let start = offset(block, UNIT);
        into.resize(UNIT, 0);
        let mut there = file.storage.read_at(start, into)?;
        let Some(size) = BlockHeader::peek_length(into) else {
            return Ok(None);
        };
        if size > UNIT {
            into.resize(size, 0);
            there = file.storage.read_at(start, into)?;
        }
        if there != size {
            return Ok(None);
        }
        match Block::check(into) {
            Ok(found) if found.header.vlf == vlf && found.header.block == block => {
                Ok(Some(found.header))
            }
            _ => Ok(None),
        }
    }

    /// Reads one record.
    pub(crate) fn read<R>(
        &mut self,
        volume: &Volume,
        lsn: Lsn,
        with: impl FnOnce(Record<'_>) -> R,
    ) -> Result<R, EngineError> {
        self.flush(volume)?;
        let mut bytes = std::mem::take(&mut self.last_read);
        let cached = Block::check(&bytes)
            .is_ok_and(|b| b.header.vlf == lsn.vlf() && b.header.block == lsn.block());
        let found = cached
            || self
                .read_exactly(lsn.vlf(), lsn.block(), &mut bytes)?
                .is_some();
        let record = found
            .then(|| {
                let block = Block::check(&bytes).ok()?;
                block
                    .records()
                    .find_map(|record| record.ok().filter(|(at, _)| *at == lsn))
            })
            .flatten();
        let result = record.map(|(_, record)| with(record));
        self.last_read = bytes;
        result.ok_or_else(|| damaged(lsn, "a record that is needed is not there"))
    }
}

/// Something is wrong with the log.
pub(crate) fn damaged(lsn: Lsn, reason: &str) -> EngineError {
    EngineError::Damaged {
        what: format!("the log at {lsn:#}"),
        reason: reason.to_owned(),
    }
}

impl From<Short> for EngineError {
    fn from(_: Short) -> Self {
        Self::Damaged {
            what: "a log record".to_owned(),
            reason: "its fields do not fit its length".to_owned(),
        }
    }
}
