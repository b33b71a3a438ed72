use bytes::Bytes;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{CryptoError, DataKey, SessionSealer, StreamSealer};
use crate::block::BlockHeader;
use crate::checksum;
use crate::codec::{Compression, ContentError, Decoder, Encoder};
use crate::stream::StreamEnd;
use crate::testing::noise;

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

/// With this key, session and salt the bytes below were written by the first version.
fn known() -> StreamSealer {
    let key = DataKey::from_parts(Uuid::from_u128(9), Zeroizing::new([3; 32]));
    let mut session = SessionSealer::salted(&key, SESSION, *b"salt of 16 bytes").unwrap();
    session.stream(5).unwrap()
}

/// Its first two blocks, in plain: short, and of a usual length.
fn blocks() -> [(BlockHeader, Bytes); 2] {
    let (short, long) = (Bytes::from_static(b"pages"), noise(1 << 20));
    [
        (BlockHeader::for_raw(SESSION, 5, 0, 0, &short), short),
        (BlockHeader::for_raw(SESSION, 5, 1, 5, &long), long),
    ]
}

/// A payload with room around it.
fn place(payload: &[u8]) -> Vec<u8> {
    [&[0xEE; 16], payload, &[0xEE; 16]].concat()
}

#[test]
fn the_stored_bytes_are_those_of_the_first_version() {
    let mut sealer = known();
    let [short, long] = blocks();

    let (header, payload) = sealer.seal(&short.0, &short.1).unwrap();
    let mut due = b"salt of 16 bytes".to_vec();
    due.extend([
        80, 214, 222, 56, 23, 159, 116, 113, 89, 53, 95, 247, 107, 55, 71,
    ]);
    due.extend([44, 254, 222, 3, 8, 144]);
    assert_eq!(payload, due);
    assert_eq!(header.encode()[60..], [218, 37, 104, 116]);

    let (header, payload) = sealer.seal(&long.0, &long.1).unwrap();
    assert_eq!(payload.len(), (1 << 20) + 32);
    assert_eq!(header.stored_crc, checksum::crc32c(&payload));
    assert_eq!(header.encode()[60..], [35, 75, 67, 159]);
}

#[test]
fn a_block_that_is_sealed_where_it_lies_gets_the_same_bytes() {
    let (mut one, mut two) = (known(), known());
    for (header, payload) in blocks() {
        let mut place = place(&payload);
        let sealed = one.seal_in_place(&header, &mut place).unwrap();
        assert_eq!((sealed, place.into()), two.seal(&header, &payload).unwrap());
    }
}

#[test]
fn a_place_that_does_not_hold_the_block_is_refused_and_left_as_it_is() {
    let mut sealer = known();
    let [(header, payload), (next, _)] = blocks();
    let right = place(&payload);
    let mut changed = right.clone();
    changed[17] ^= 1;
    let (short, empty) = (right[..right.len() - 1].to_vec(), Vec::new());
    for wrong in [
        changed,
        payload.to_vec(),
        short,
        vec![0; 31],
        vec![0; 32],
        empty,
    ] {
        let mut place = wrong.clone();
        let error = sealer.seal_in_place(&header, &mut place).unwrap_err();
        assert_eq!((error, place), (CryptoError::ForeignBlock, wrong));
    }
    let mut place = right.clone();
    let error = sealer.seal_in_place(&next, &mut place).unwrap_err();
    assert_eq!((error, &place), (CryptoError::ForeignBlock, &right));

    // What was refused has used up no nonce.
    let stored = sealer.seal_in_place(&header, &mut place).unwrap();
    assert_eq!(
        (stored, place.into()),
        known().seal(&header, &payload).unwrap()
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
