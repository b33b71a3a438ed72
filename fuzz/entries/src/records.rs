//! What lies in a `.VAB`, piece by piece.

use uuid::Uuid;
use vab_format::block::BlockHeader;
use vab_format::record::{FRAME_LENGTH, Frame, Position, Trailer};
use vab_format::stream::StreamEnd;
use vab_format::vab::{Commit, IndexSegment, SegmentRef, VabHeader};

use crate::input::Input;
use crate::stamp;

const FILE: Uuid = Uuid::from_u128(0xF11E);
const SESSION: Uuid = Uuid::from_u128(0x5E55);

/// Splits the choice of whether checksums are made right off the input.
pub(crate) fn choice(data: &[u8]) -> (bool, &[u8]) {
    match data.split_first() {
        Some((first, rest)) => (first % 2 == 1, rest),
        None => (false, data),
    }
}

/// Bytes of a certain length, with zeros where the input is too short.
fn padded<const N: usize>(data: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    for (place, byte) in bytes.iter_mut().zip(data) {
        *place = *byte;
    }
    bytes
}

/// The first page of a `.VAB`.
pub fn vab_header(data: &[u8]) {
    let (right, data) = choice(data);
    if !right {
        let _ = VabHeader::decode(data);
        return;
    }
    let mut page: [u8; VabHeader::LENGTH] = padded(data);
    stamp::put(&mut page, 0, b"\x89VAB\r\n\x1a\n");
    stamp::put(&mut page, 12, &4096_u32.to_le_bytes());
    stamp::seal(&mut page, 4092);
    if let Ok(header) = VabHeader::decode(&page) {
        let again = header.encode().expect("a header that was read is written");
        assert_eq!(VabHeader::decode(&again), Ok(header));
    }
}

/// The head of a block, and its payload.
pub fn block_header(data: &[u8]) {
    let (right, data) = choice(data);
    let mut bytes: [u8; BlockHeader::LENGTH] = padded(data);
    let payload = data.get(BlockHeader::LENGTH..).unwrap_or_default();
    if right {
        stamp::put(&mut bytes, 0, b"VBLK");
        stamp::seal(&mut bytes, 60);
    }
    if let Ok(header) = BlockHeader::decode(&bytes) {
        let _ = header.verify(payload);
        assert!(header.check().is_ok(), "read, and not allowed");
        assert_eq!(BlockHeader::decode(&header.encode()), Ok(header));
    }
    let _ = data.first_chunk().map(StreamEnd::decode);
}

/// The frame of any record, and its payload.
pub fn frame(data: &[u8]) {
    let (right, data) = choice(data);
    let mut bytes = data.to_vec();
    bytes.resize(data.len().max(FRAME_LENGTH), 0);
    if right {
        let place = stamp::ordinal(&bytes);
        let position = Position {
            file: FILE,
            offset: (place % 4096) << 12,
            ordinal: place,
        };
        let payload = bytes.len() - FRAME_LENGTH;
        // Half of the time the payload is what is there.
        if place.is_multiple_of(2) {
            let length = u32::try_from(payload).unwrap_or(u32::MAX);
            stamp::put(&mut bytes, 48, &length.to_le_bytes());
            let whole = (FRAME_LENGTH + payload + 64).next_multiple_of(4096);
            bytes.resize(whole, 0);
        }
        stamp::record(&mut bytes, &position);
    }
    let Some(first) = bytes.first_chunk() else {
        return;
    };
    if let Ok(frame) = Frame::decode(first) {
        let body = bytes.get(FRAME_LENGTH..).unwrap_or_default();
        let _ = frame.payload(body);
        let _ = frame.trailer();
        assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
    }
}

/// The last bytes of a commit record.
pub fn trailer(data: &[u8]) {
    let (right, data) = choice(data);
    let mut bytes: [u8; Trailer::LENGTH] = padded(data);
    if right {
        stamp::put(&mut bytes, 0, b"VABTAIL\0");
        stamp::seal(&mut bytes, 60);
    }
    if let Ok(trailer) = Trailer::decode(&bytes) {
        let _ = Trailer::decode_before(&bytes, trailer.file, trailer.end());
        assert_eq!(Trailer::decode(&trailer.encode()), Ok(trailer));
    }
    let _ = Trailer::decode_before(data, FILE, data.len() as u64);
}

/// A commit record: the payload under right checksums, or the record as it is.
pub fn commit(data: &[u8]) {
    let (right, data) = choice(data);
    let mut input = Input(data);
    let ordinal = input.number().max(1);
    let position = Position {
        file: FILE,
        offset: (input.number() % (1 << 44)) << 12,
        ordinal,
    };
    let mut record = input.0.to_vec();
    if right {
        record = stamp::around(*b"VCMT", SESSION, input.0, &position);
        // The head repeats the identity that the session record has behind the links.
        let links = record
            .get(FRAME_LENGTH + 8..)
            .and_then(|at| at.first_chunk());
        let links = links.map_or(0, |four| u32::from_le_bytes(*four) % 65);
        let id = FRAME_LENGTH + 12 + 8 * usize::try_from(links).unwrap_or_default() + 4 + 4;
        if let Some(id) = record.get(id..id + 16).map(<[u8]>::to_vec) {
            stamp::put(&mut record, 8, &id);
            stamp::record(&mut record, &position);
        }
    }
    let Ok(commit) = Commit::decode(&record, &position) else {
        return;
    };
    for stream in &commit.streams {
        let last = stream.blocks().saturating_sub(1);
        for sequence in [0, 1, last / 2, last, last.saturating_add(1)] {
            let _ = stream.find(sequence);
            let _ = stream.find_offset(sequence.saturating_mul(4096));
        }
    }
    for wanted in [1, 2, ordinal / 2, ordinal - 1] {
        let _ = commit.links.toward(ordinal, wanted);
    }
    let again = commit.encode(&position).expect("what was read is written");
    assert_eq!(Commit::decode(&again, &position), Ok(commit));
}

/// An index segment and the reference that a commit has to it.
pub fn index_segment(data: &[u8]) {
    let (right, data) = choice(data);
    let mut input = Input(data);
    let position = Position {
        file: FILE,
        offset: (input.number() % (1 << 44)) << 12,
        ordinal: 1,
    };
    let stream = u16::from(input.byte());
    let sequence = input.number();
    let mut record = input.0.to_vec();
    let mut reference = SegmentRef {
        sequence,
        start: 0,
        position: position.offset,
        count: u32::try_from(input.0.len() / 32).unwrap_or(u32::MAX),
        crc: vab_format::checksum::crc32c(input.0),
    };
    if let Some(start) = input.0.first_chunk() {
        reference.start = u64::from_le_bytes(*start);
    }
    if right {
        record = stamp::around(*b"VIDX", SESSION, input.0, &position);
        stamp::put(&mut record, 24, &stream.to_le_bytes());
        stamp::put(&mut record, 28, &reference.count.to_le_bytes());
        stamp::put(&mut record, 32, &sequence.to_le_bytes());
        stamp::record(&mut record, &position);
    }
    let Ok(segment) = IndexSegment::decode(&record, &position, stream, &reference) else {
        return;
    };
    let count = segment.entries.len() as u64;
    for ahead in [0, count / 2, count - 1, count] {
        let entry = segment.entry(sequence.saturating_add(ahead));
        assert_eq!(entry.is_some(), ahead < count);
        if let Some(entry) = entry {
            let found = segment.entry_at(entry.start).expect("its own first byte");
            assert_eq!(found.1, entry);
        }
    }
}
