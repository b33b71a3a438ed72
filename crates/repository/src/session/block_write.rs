use std::fmt;

use vab_format::record::RecordBuffer;
use vab_format::vab::{PlacedBlock, PlacedRecord};

use super::{AppendSession, WriteError};
use crate::storage::StorageError;

/// A block that was checked and has its place in the file, and is to be written there.
///
/// It may be written after blocks that come behind it, and while others are. Dropped without
/// [`BlockWrite::write`] it ends the session: nothing may follow a gap.
#[must_use = "a block that is not written ends its session"]
pub struct BlockWrite<'s, R> {
    session: &'s AppendSession,
    record: R,
    block: PlacedBlock,
    /// An index segment that has become due with it.
    segment: Option<PlacedRecord>,
    written: bool,
}

impl<'s, R: AsMut<RecordBuffer>> BlockWrite<'s, R> {
    pub(super) const fn new(
        session: &'s AppendSession,
        record: R,
        block: PlacedBlock,
        segment: Option<PlacedRecord>,
    ) -> Self {
        Self {
            session,
            record,
            block,
            segment,
            written: false,
        }
    }

    /// Writes the block, from the memory it lies in.
    ///
    /// # Errors
    /// When the disk fails: then the session is over.
    pub fn write(mut self) -> Result<(), WriteError> {
        self.session.check()?;
        self.written = true;
        let written = self.put();
        written.map_err(|error| self.session.failed(error))
    }

    fn put(&mut self) -> Result<(), StorageError> {
        let offset = self.block.offset;
        let record = self.record.as_mut().record(&self.block.frame);
        let file = self.session.file();
        file.write_at(record, offset)?;
        // The sync at the end shall find little left to do.
        file.start_write_back(offset, record.len() as u64);
        let segment = self.segment.take();
        segment.map_or(Ok(()), |segment| self.session.put(&segment))
    }
}

impl<R> Drop for BlockWrite<'_, R> {
    fn drop(&mut self) {
        // Also when it failed: nobody may wait for it without end.
        self.session.settle(self.block.offset, self.written);
    }
}

impl<R> fmt::Debug for BlockWrite<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockWrite")
            .field("session", &self.session.id())
            .field("offset", &self.block.offset)
            .field("written", &self.written)
            .finish_non_exhaustive()
    }
}
