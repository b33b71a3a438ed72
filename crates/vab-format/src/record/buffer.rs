use super::FRAME_LENGTH;
use crate::limits::ALIGNMENT;

const PAGE: usize = 4096;
const _: () = assert!(PAGE as u64 == ALIGNMENT);
const ZEROS: [u8; PAGE] = [0; PAGE];

/// Memory of one record: a payload is received into it, and written from it as a whole record.
///
/// The record begins a page of memory, as direct IO asks for; the payload lies behind the room
/// for its frame. So neither is copied on its way from a socket to a disk.
///
/// ```
/// # use vab_format::block::BlockHeader;
/// use vab_format::record::{Frame, Position, RecordBuffer};
///
/// # let session = uuid::Uuid::from_u128(1);
/// # let position = Position { file: session, offset: 4096, ordinal: 1 };
/// let mut buffer = RecordBuffer::of(b"what the engine wrote");
/// let header = BlockHeader::for_raw(session, 0, 0, 0, buffer.payload());
/// let record = buffer.record(&Frame::of_block(header, &position).encode());
/// assert_eq!(record.len(), 4096);
/// assert!(record.as_ptr().addr().is_multiple_of(4096));
/// ```
#[derive(Debug, Default)]
pub struct RecordBuffer {
    memory: Vec<u8>,
    /// Where the record begins in the memory.
    start: usize,
    /// Zero bytes behind the payload.
    padding: usize,
}

impl RecordBuffer {
    /// No payload yet, but room for `length` bytes; in memory that was used before
    /// ([`RecordBuffer::into_memory`]) or is new (`Vec::new()`).
    #[must_use]
    pub fn with_room(length: usize, mut memory: Vec<u8>) -> Self {
        memory.clear();
        // A page before for the alignment, the frame, and up to a page of padding behind.
        memory.reserve_exact(length.saturating_add(2 * PAGE + FRAME_LENGTH));
        let start = memory.as_ptr().align_offset(PAGE).min(PAGE);
        memory.resize(start + FRAME_LENGTH, 0);
        Self {
            memory,
            start,
            padding: 0,
        }
    }

    /// A copy of a payload.
    #[must_use]
    pub fn of(payload: &[u8]) -> Self {
        let mut buffer = Self::with_room(payload.len(), Vec::new());
        buffer.growing().extend_from_slice(payload);
        buffer
    }

    /// The payload so far.
    pub fn payload(&self) -> &[u8] {
        let end = self.memory.len().saturating_sub(self.padding);
        let start = self.start.saturating_add(FRAME_LENGTH);
        self.memory.get(start..end).unwrap_or_default()
    }

    /// The memory that the payload ends in, for readers that put bytes behind those that are
    /// there: these must stay. Beyond the room that was asked for, the record may come to lie
    /// anywhere in memory.
    pub fn growing(&mut self) -> &mut Vec<u8> {
        let end = self.memory.len().saturating_sub(self.padding);
        self.memory.truncate(end);
        self.padding = 0;
        &mut self.memory
    }

    /// The whole record, with this frame: a multiple of 4096 bytes.
    pub fn record(&mut self, frame: &[u8; FRAME_LENGTH]) -> &[u8] {
        let length = FRAME_LENGTH + self.payload().len();
        let padding = length.next_multiple_of(PAGE) - length;
        let zeros = ZEROS.get(..padding).unwrap_or_default();
        self.growing().extend_from_slice(zeros);
        self.padding = padding;
        let record = self.memory.get_mut(self.start..).unwrap_or_default();
        if let Some(room) = record.first_chunk_mut() {
            *room = *frame;
        }
        record
    }

    /// The memory, to be used again.
    pub fn into_memory(self) -> Vec<u8> {
        self.memory
    }
}

impl AsMut<Self> for RecordBuffer {
    fn as_mut(&mut self) -> &mut Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: [u8; FRAME_LENGTH] = [7; FRAME_LENGTH];

    #[test]
    fn a_record_is_its_frame_its_payload_and_zeros() {
        for length in [0, 1, 3967, 3968, 3969, 8000, 100_000] {
            let payload: Vec<u8> = (0..length)
                .map(|at| u8::try_from(at % 251).unwrap())
                .collect();
            let mut buffer = RecordBuffer::of(&payload);
            let record = buffer.record(&FRAME);
            let whole = crate::record::length(u32::try_from(length).unwrap());
            assert_eq!(record.len() as u64, whole);
            assert_eq!(record[..FRAME_LENGTH], FRAME);
            assert_eq!(record[FRAME_LENGTH..][..length], payload);
            assert!(
                record[FRAME_LENGTH + length..]
                    .iter()
                    .all(|byte| *byte == 0)
            );
            assert!(record.as_ptr().addr().is_multiple_of(PAGE));
            assert_eq!(buffer.payload(), payload);
        }
    }

    #[test]
    fn memory_is_used_again_and_nothing_of_it_is_seen() {
        let first = RecordBuffer::of(&[0xff; 5000]);
        let memory = first.into_memory();
        let (address, capacity) = (memory.as_ptr(), memory.capacity());
        let mut second = RecordBuffer::with_room(5000, memory);
        assert_eq!(second.payload(), b"");
        second.growing().extend_from_slice(b"rows");
        assert!(
            second.record(&FRAME)[FRAME_LENGTH + 4..]
                .iter()
                .all(|byte| *byte == 0)
        );
        let memory = second.into_memory();
        assert_eq!((memory.as_ptr(), memory.capacity()), (address, capacity));
    }

    #[test]
    fn a_payload_that_grows_behind_its_record_leaves_no_padding_in_it() {
        let mut buffer = RecordBuffer::of(b"one");
        buffer.record(&FRAME);
        buffer.growing().extend_from_slice(b"two");
        assert_eq!(buffer.payload(), b"onetwo");
        assert_eq!(buffer.record(&FRAME).len(), PAGE);
    }
}
