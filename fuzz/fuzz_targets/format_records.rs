//! Any bytes as the records of a data file. The first byte chooses the decoder.
#![no_main]

use libfuzzer_sys::fuzz_target;
use uuid::Uuid;
use vab_format::block::BlockHeader;
use vab_format::record::{Frame, Position, Trailer};
use vab_format::session::SessionRecord;
use vab_format::stream::StreamEnd;
use vab_format::vab::{Commit, VabHeader};

fuzz_target!(|data: &[u8]| {
    let Some((&decoder, data)) = data.split_first() else { return };
    let position = Position { file: Uuid::nil(), offset: 4096, ordinal: 0 };
    match decoder % 7 {
        0 => drop(data.first_chunk().map(BlockHeader::decode)),
        1 => drop(data.first_chunk().map(Frame::decode)),
        2 => drop(data.first_chunk().map(Trailer::decode)),
        3 => drop(SessionRecord::decode(data)),
        4 => drop(Commit::decode(data, &position)),
        5 => drop(VabHeader::decode(data)),
        _ => drop(data.first_chunk().map(StreamEnd::decode)),
    }
});
