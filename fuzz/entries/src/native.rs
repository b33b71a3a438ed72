//! Native backup files of SQL Server.

use vab_engine::mtf::{self, StreamingReader};

/// The tags that begin a block, whose header has 52 bytes.
const BLOCKS: [&[u8; 4]; 8] = [
    b"TAPE", b"SFMB", b"SSET", b"VOLB", b"MSCI", b"MSDA", b"ESET", b"EOTM",
];
/// The tags that begin a stream, whose header has 22.
const STREAMS: [&[u8; 4]; 7] = [
    b"RAID", b"MQCI", b"MQDA", b"MQTL", b"SPAD", b"SCIN", b"SFIN",
];

/// A native backup file, whole and in pieces. An odd first byte makes the checksums of all headers
/// right.
pub fn native_backup(data: &[u8]) {
    let Some((&pieces, data)) = data.split_first() else {
        return;
    };
    let mut data = data.to_vec();
    if pieces % 2 == 1 {
        restamp(&mut data);
    }
    let _whole = mtf::read_bytes(&data);
    let mut reader = StreamingReader::new();
    let mut pieces = data.chunks(usize::from(pieces) + 1);
    if pieces.all(|piece| reader.push(piece).is_ok()) {
        let _facts = reader.finish();
    }
}

/// Every header on a boundary of four bytes ends with the XOR of its words.
fn restamp(data: &mut [u8]) {
    for at in (0..data.len()).step_by(4) {
        let Some(rest) = data.get_mut(at..) else {
            return;
        };
        let length = if BLOCKS.iter().any(|tag| rest.starts_with(*tag)) {
            52
        } else if STREAMS.iter().any(|tag| rest.starts_with(*tag)) {
            22
        } else {
            continue;
        };
        let Some(header) = rest.get_mut(..length) else {
            return;
        };
        let (covered, checksum) = header.split_at_mut(length - 2);
        let words = covered.chunks_exact(2);
        let xor = words.fold([0, 0], |sum: [u8; 2], word| {
            let byte = |at: usize| word.get(at).copied().unwrap_or_default();
            [sum[0] ^ byte(0), sum[1] ^ byte(1)]
        });
        checksum.copy_from_slice(&xor);
    }
}
