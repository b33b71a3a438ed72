//! Any bytes as a native backup file, whole and in pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vab_engine::mtf::{self, StreamingReader};

fuzz_target!(|data: &[u8]| {
    let _whole = mtf::read_bytes(data);
    let Some((&pieces, data)) = data.split_first() else { return };
    let mut reader = StreamingReader::new();
    if data.chunks(usize::from(pieces) + 1).all(|piece| reader.push(piece).is_ok()) {
        let _facts = reader.finish();
    }
});
