//! Any bytes as a whole data file or metadata file: open it, read all of it.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use vab_format::io::VabReader;
use vab_format::vacm::Vacm;
use vab_format::vasm::Vasm;

fuzz_target!(|data: &[u8]| {
    let _vasm = Vasm::decode(data);
    let _vacm = Vacm::decode(data);
    if let Ok(mut reader) = VabReader::open(Cursor::new(data)) {
        let _all = reader.verify_all();
    }
});
