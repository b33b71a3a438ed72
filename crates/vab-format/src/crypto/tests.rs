use bytes::Bytes;
use uuid::Uuid;

use super::{CryptoError, DataKey, SessionSealer, StreamSealer};
use crate::block::BlockHeader;
use crate::checksum;
use crate::codec::{Compression, ContentError, Decoder, Encoder};
use crate::stream::StreamEnd;

const SESSION: Uuid = Uuid::from_u128(1);

fn sealer(data_key: &DataKey) -> StreamSealer {
    let mut session = SessionSealer::new(data_key, SESSION).unwrap();
    session.stream(0).unwrap()
}

fn sealed(data_key: &DataKey, raw: &[u8]) -> (BlockHeader, Bytes) {
    let header = BlockHeader::for_raw(SESSION, 0, 0, 0, raw);
    sealer(data_key).seal(&header, raw).unwrap()
}

#[test]
fn a_block_comes_back_with_the_key_only() {
    let key = DataKey::random().unwrap();
    let (header, payload) = sealed(&key, b"rows");
    assert_eq!(BlockHeader::decode(&header.encode()), Ok(header));
    assert_eq!(header.verify(&payload), Ok(()));
    assert!(!payload.windows(4).any(|bytes| bytes == b"rows"));

    let open = |decoder: &mut Decoder| decoder.decode(&header, payload.clone());
    assert_eq!(
        open(&mut Decoder::with_key(key)).unwrap(),
        b"rows".as_slice()
    );
    assert_eq!(open(&mut Decoder::new()), Err(ContentError::Encrypted));
    let other = DataKey::random().unwrap();
    assert_eq!(
        open(&mut Decoder::with_key(other)),
        Err(ContentError::NotAuthentic)
    );
}

#[test]
fn what_was_compressed_is_decompressed() {
    let key = DataKey::random().unwrap();
    let raw = Bytes::from(vec![5; 100_000]);
    let mut encoder = Encoder::new(Compression::Auto).unwrap();
    let (header, payload) = encoder.block(SESSION, 0, 0, 0, raw.clone()).unwrap();
    let (header, payload) = sealer(&key).seal(&header, &payload).unwrap();
    let mut decoder = Decoder::with_key(key);
    assert_eq!(decoder.decode(&header, payload), Ok(raw));
}

#[test]
fn every_flipped_bit_of_a_payload_is_noticed_by_the_cipher_too() {
    let key = DataKey::random().unwrap();
    let (header, payload) = sealed(&key, b"some rows");
    let mut decoder = Decoder::with_key(key);
    for bit in 0..payload.len() * 8 {
        let mut damaged = payload.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let result = decoder.decode(&header, damaged.into());
        assert_eq!(result, Err(ContentError::NotAuthentic), "bit {bit}");
    }
}

#[test]
fn a_block_that_was_moved_or_renamed_is_not_authentic() {
    let key = DataKey::random().unwrap();
    let (header, payload) = sealed(&key, b"some rows");
    let mut decoder = Decoder::with_key(key);
    let changes: [fn(&mut BlockHeader); 5] = [
        |header| header.session = Uuid::from_u128(2),
        |header| header.stream = 1,
        |header| header.sequence = 1,
        |header| header.offset = 9,
        |header| header.raw_length = 8,
    ];
    for change in changes {
        let mut header = header;
        change(&mut header);
        let result = decoder.decode(&header, payload.clone());
        assert_eq!(result, Err(ContentError::NotAuthentic));
    }
    for payload in [payload.slice(..15), payload.slice(..20), Bytes::new()] {
        let result = decoder.decode(&header, payload);
        assert_eq!(result, Err(ContentError::NotAuthentic));
    }
}

#[test]
fn the_same_block_of_the_same_session_gives_other_bytes_each_time_it_is_begun() {
    let key = DataKey::random().unwrap();
    let ((_, one), (_, two)) = (sealed(&key, b"rows"), sealed(&key, b"rows"));
    assert_ne!(one[..16], two[..16]);
    assert_ne!(one[16..], two[16..]);
}

#[test]
fn no_block_is_encrypted_twice() {
    let mut sealer = sealer(&DataKey::random().unwrap());
    let block = |sequence| BlockHeader::for_raw(SESSION, 0, sequence, sequence, b"r");
    sealer.seal(&block(0), b"r").unwrap();
    for sequence in [0, 2] {
        assert_eq!(
            sealer.seal(&block(sequence), b"r").unwrap_err(),
            CryptoError::OutOfSequence {
                stream: 0,
                expected: 1,
                found: sequence
            }
        );
    }
    sealer.seal(&block(1), b"r").unwrap();
}

#[test]
fn a_stream_has_one_sealer() {
    let key = DataKey::random().unwrap();
    let mut session = SessionSealer::new(&key, SESSION).unwrap();
    session.stream(63).unwrap();
    for stream in [63, 64] {
        let error = session.stream(stream).unwrap_err();
        assert_eq!(error, CryptoError::StreamTaken { stream });
    }
}

#[test]
fn a_block_of_another_stream_is_refused() {
    let key = DataKey::random().unwrap();
    let mut sealer = sealer(&key);
    let foreign = BlockHeader::for_raw(SESSION, 1, 0, 0, b"r");
    assert_eq!(
        sealer.seal(&foreign, b"r").unwrap_err(),
        CryptoError::ForeignBlock
    );
    let (header, payload) = sealed(&key, b"r");
    assert_eq!(
        sealer.seal(&header, &payload).unwrap_err(),
        CryptoError::ForeignBlock
    );
}

#[test]
fn the_checksum_of_a_stream_is_masked_and_comes_back() {
    let key = DataKey::random().unwrap();
    let raw = b"rows";
    let end = StreamEnd {
        stream: 0,
        blocks: 1,
        bytes: 4,
        stored_bytes: 36,
        crc: checksum::crc32c(raw),
    };
    let mut sealer = sealer(&key);
    let header = BlockHeader::for_raw(SESSION, 0, 0, 0, raw);
    let (header, payload) = sealer.seal(&header, raw).unwrap();
    let stored = sealer.end(end);
    assert_ne!(stored.crc, end.crc);

    let mut decoder = Decoder::with_key(key);
    assert_eq!(decoder.end(SESSION, stored), None);
    decoder.decode(&header, payload).unwrap();
    assert_eq!(decoder.end(SESSION, stored), Some(end));
    let empty = StreamEnd {
        blocks: 0,
        bytes: 0,
        stored_bytes: 0,
        crc: 0,
        ..end
    };
    assert_eq!(decoder.end(SESSION, sealer.end(empty)), Some(empty));
}
