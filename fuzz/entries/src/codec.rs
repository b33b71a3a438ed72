//! Compressed payloads.

use std::cell::RefCell;

use bytes::Bytes;
use uuid::Uuid;
use vab_format::block::{BlockHeader, Codec};
use vab_format::codec::{ContentError, Decoder};

use crate::input::Input;

/// A payload of any codec under a header that claims any length.
pub fn payload(data: &[u8]) {
    let mut input = Input(data);
    let codec = match input.byte() % 5 {
        0 => Codec::Raw,
        1 | 2 => Codec::Lz4,
        _ => Codec::Zstd,
    };
    // Mostly short, so that the fuzzer is fast; now and then anything up to the limit.
    let raw_length = match input.byte() {
        255 => input.u32() % (4 << 20) + 1,
        254 => 4 << 20,
        253 => u32::from(input.u16()) + 1,
        short => u32::from(short) + 1,
    };
    let payload = Bytes::copy_from_slice(input.0);
    let header = BlockHeader {
        codec,
        raw_length,
        raw_crc: 0,
        ..BlockHeader::for_raw(Uuid::from_u128(1), 0, 0, 0, &payload)
    };
    DECODER.with_borrow_mut(|decoder| decode(decoder, header, payload));
}

thread_local! {
    // As a reader keeps one: making it takes longer than most payloads.
    static DECODER: RefCell<Decoder> = RefCell::default();
}

fn decode(decoder: &mut Decoder, mut header: BlockHeader, payload: Bytes) {
    let raw_length = header.raw_length;
    match decoder.decode(&header, payload.clone()) {
        Ok(raw) => assert_eq!(raw.len() as u64, u64::from(raw_length)),
        Err(ContentError::Checksum { found, .. }) => {
            header.raw_crc = found;
            let raw = decoder.decode(&header, payload).expect("the same again");
            assert_eq!(raw.len() as u64, u64::from(raw_length));
        }
        Err(_) => {}
    }
}
