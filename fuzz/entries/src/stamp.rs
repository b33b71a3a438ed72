//! Making checksums right, from the description of the format and not with its code.

use uuid::Uuid;
use vab_format::checksum::crc32c;
use vab_format::record::{FRAME_LENGTH, Position};

const PAGE: usize = 4096;

pub(crate) fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at.saturating_add(value.len())) {
        place.copy_from_slice(value);
    }
}

/// The CRC of everything before `at`, at `at`.
pub(crate) fn seal(bytes: &mut [u8], at: usize) {
    if let Some(crc) = bytes.get(..at).map(crc32c) {
        put(bytes, at, &crc.to_le_bytes());
    }
}

fn u32_at(bytes: &[u8], at: usize) -> usize {
    let field = bytes.get(at..).and_then(|rest| rest.first_chunk());
    usize::try_from(field.map_or(0, |four| u32::from_le_bytes(*four))).unwrap_or_default()
}

/// A record of that kind around a payload.
pub(crate) fn around(kind: [u8; 4], session: Uuid, payload: &[u8], position: &Position) -> Vec<u8> {
    let mut bytes = vec![0; FRAME_LENGTH];
    put(&mut bytes, 0, &kind);
    put(&mut bytes, 8, session.as_bytes());
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    put(&mut bytes, 48, &length.to_le_bytes());
    bytes.extend_from_slice(payload);
    let whole = (bytes.len() + 64).next_multiple_of(4096);
    bytes.resize(whole, 0);
    let length = record(&mut bytes, position);
    bytes.truncate(length);
    bytes
}

/// Makes the record at the start of `bytes` one that lies at `position`: lengths and checksums of
/// its frame, and of its trailer when it is a commit. Gives its length.
pub(crate) fn record(bytes: &mut [u8], position: &Position) -> usize {
    let payload_length = u32_at(bytes, 48);
    let payload = bytes.get(FRAME_LENGTH..FRAME_LENGTH.saturating_add(payload_length));
    let Some(crc) = payload.map(crc32c) else {
        return PAGE;
    };
    let crc = crc.to_le_bytes();
    put(bytes, 52, &crc);
    let raw_block = bytes.starts_with(b"VBLK") && bytes.get(4..8) == Some(&[0; 4]);
    if raw_block {
        put(bytes, 56, &crc);
        let length = u32::try_from(payload_length).unwrap_or(u32::MAX);
        put(bytes, 28, &length.to_le_bytes());
    }
    seal(bytes, 60);
    let is_commit = bytes.starts_with(b"VCMT");
    let trailer = if is_commit { 64 } else { 0 };
    let length = (FRAME_LENGTH + payload_length + trailer).next_multiple_of(PAGE);
    put(bytes, 64, position.file.as_bytes());
    put(bytes, 80, &position.offset.to_le_bytes());
    put(bytes, 88, &(length as u64).to_le_bytes());
    put(bytes, 96, &position.ordinal.to_le_bytes());
    seal(bytes, 124);
    if is_commit && let Some(end) = bytes.get_mut(length - 64..length) {
        put(end, 0, b"VABTAIL\0");
        put(end, 8, position.file.as_bytes());
        put(end, 24, &position.offset.to_le_bytes());
        put(end, 32, &(length as u64).to_le_bytes());
        put(end, 40, &position.ordinal.to_le_bytes());
        put(end, 48, &crc);
        put(end, 52, &[0; 8]);
        seal(end, 60);
    }
    length
}

/// The ordinal that the record at the start of `bytes` says.
pub(crate) fn ordinal(bytes: &[u8]) -> u64 {
    let field = bytes.get(96..).and_then(|rest| rest.first_chunk());
    field.map_or(0, |eight| u64::from_le_bytes(*eight))
}

/// The length and the checksum of a `.VASM` or `.VACM`.
pub(crate) fn metadata(bytes: &mut [u8]) {
    let length = bytes.len() as u64;
    put(bytes, 16, &length.to_le_bytes());
    if let Some(at) = bytes.len().checked_sub(4) {
        seal(bytes, at);
    }
}
