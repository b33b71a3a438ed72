//! Native backup files of SQL Server.

use vab_engine::mtf::{self, StreamingReader};

/// A native backup file, whole and in pieces.
pub fn native_backup(data: &[u8]) {
    let _whole = mtf::read_bytes(data);
    let Some((&pieces, data)) = data.split_first() else {
        return;
    };
    let mut reader = StreamingReader::new();
    let mut pieces = data.chunks(usize::from(pieces) + 1);
    if pieces.all(|piece| reader.push(piece).is_ok()) {
        let _facts = reader.finish();
    }
}
