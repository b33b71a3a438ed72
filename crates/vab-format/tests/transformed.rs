//! Files whose blocks are compressed and encrypted.

#![cfg(test)]
#![cfg(all(feature = "lz4", feature = "zstd", feature = "encrypt"))]

mod common;

use std::io::{Cursor, Read};
use std::path::PathBuf;

use bytes::Bytes;
use common::{Memory, header, session_id};
use vab_format::checksum;
use vab_format::codec::{Compression, ContentError, Encoder};
use vab_format::crypto::{DataKey, Secret, SessionSealer, unlock, wrap, wrap_with_cost};
use vab_format::io::{ReadError, VabReader, VabWriter};
use vab_format::session::SessionRecord;
use vab_format::stream::StreamEnd;
use vab_format::vab::{Argon2Cost, KeyArea};

const BLOCK: usize = 6000;

/// Three streams: two that can be compressed, one that cannot.
fn streams() -> Vec<Bytes> {
    let pages = |first: u8| -> Bytes {
        let page = |number: u8| [number; 512];
        let pages = (first..first + 18).flat_map(page);
        pages.take(9000).collect()
    };
    vec![pages(1), pages(77), common::raw(1, 0, 7000).into()]
}

fn compressions() -> [Compression; 3] {
    [
        Compression::Lz4,
        Compression::Zstd { level: 3 },
        Compression::Auto,
    ]
}

fn write(writer: &mut VabWriter<Memory>, key: Option<&DataKey>) {
    let id = session_id(1);
    let mut sealer = key.map(|key| SessionSealer::new(key, id).unwrap());
    let mut session = writer.begin(id, 3);
    let mut ends = Vec::new();
    for ((stream, raw), compression) in (0..).zip(streams()).zip(compressions()) {
        let mut encoder = Encoder::new(compression).unwrap();
        let mut sealer = sealer.as_mut().map(|sealer| sealer.stream(stream).unwrap());
        let mut offset = 0;
        while offset < raw.len() {
            let block = raw.slice(offset..raw.len().min(offset + BLOCK));
            let sequence = (offset / BLOCK) as u64;
            let (mut header, mut payload) = encoder
                .block(id, stream, sequence, offset as u64, block.clone())
                .unwrap();
            if let Some(sealer) = &mut sealer {
                (header, payload) = sealer.seal(&header, &payload).unwrap();
            }
            session.write(&header, &payload).unwrap();
            offset += block.len();
        }
        let end = StreamEnd {
            crc: checksum::crc32c(&raw),
            ..session.ends()[usize::from(stream)]
        };
        ends.push(sealer.map_or(end, |sealer| sealer.end(end)));
    }
    let record = SessionRecord {
        encrypted: key.is_some(),
        ..SessionRecord::opaque(id, "job", "database", ends)
    };
    session.commit(record).unwrap();
}

fn compressed() -> Vec<u8> {
    let mut writer = VabWriter::create(Memory::default(), &header()).unwrap();
    write(&mut writer, None);
    writer.into_inner().into_inner()
}

fn secret() -> Secret {
    Secret::key([0x42; 32])
}

fn passphrase() -> Secret {
    Secret::passphrase("correct horse battery staple")
}

fn encrypted() -> Vec<u8> {
    let key = DataKey::random().unwrap();
    let cheap = Argon2Cost {
        memory: 64,
        passes: 1,
        lanes: 1,
    };
    let area = KeyArea::of([
        wrap(&key, &secret(), "a key").unwrap(),
        wrap_with_cost(&key, &passphrase(), "a passphrase", cheap).unwrap(),
    ]);
    let mut writer = VabWriter::create_encrypted(Memory::default(), header(), &area).unwrap();
    write(&mut writer, Some(&key));
    writer.into_inner().into_inner()
}

fn open(bytes: &[u8]) -> VabReader<Cursor<&[u8]>> {
    VabReader::open(Cursor::new(bytes)).unwrap()
}

fn open_with<'b>(bytes: &'b [u8], secret: &Secret) -> VabReader<Cursor<&'b [u8]>> {
    let mut reader = open(bytes);
    let area = KeyArea::decode(&reader.key_area().unwrap()).unwrap();
    reader.with_key(unlock(&area, secret).unwrap())
}

fn check(mut reader: VabReader<Cursor<&[u8]>>) {
    reader.verify_all().unwrap();
    let session = reader.session(1).unwrap();
    for (stream, due) in (0..).zip(streams()) {
        let mut raw = Vec::new();
        reader
            .stream(&session, stream)
            .read_to_end(&mut raw)
            .unwrap();
        assert_eq!(raw, due);
    }
}

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/v1")
        .join(name)
}

#[test]
fn a_compressed_file_is_smaller_and_comes_back() {
    let bytes = compressed();
    let mut reader = open(&bytes);
    let session = reader.session(1).unwrap().commit.session;
    assert!(session.stored_bytes() < session.bytes() / 2);
    check(reader);
}

#[test]
fn an_encrypted_file_comes_back_with_each_secret() {
    let bytes = encrypted();
    for secret in [secret(), passphrase()] {
        check(open_with(&bytes, &secret));
    }
}

#[test]
fn without_a_key_everything_but_the_content_can_be_checked_and_listed() {
    let bytes = encrypted();
    let mut reader = open(&bytes);
    reader.verify_all().unwrap();
    let session = reader.session(1).unwrap();
    assert_eq!(session.commit.session.bytes(), 25_000);
    let error = reader.stream(&session, 0).next_block().unwrap_err();
    assert!(matches!(
        error,
        ReadError::Content {
            source: ContentError::Encrypted,
            ..
        }
    ));
}

#[test]
fn nothing_of_the_content_is_in_an_encrypted_file() {
    let bytes = encrypted();
    let session = open(&bytes).session(1).unwrap().commit.session;
    for (end, raw) in session.streams.iter().zip(streams()) {
        assert_ne!(end.crc, checksum::crc32c(&raw));
        for piece in raw.chunks_exact(16).step_by(20) {
            assert!(!bytes.windows(16).any(|window| window == piece));
        }
    }
}

#[test]
fn a_flipped_bit_in_the_key_slots_is_noticed_and_locks_nothing_up() {
    let mut bytes = encrypted();
    for at in (4096..4096 + 16 * 4096).step_by(1021) {
        bytes[at] ^= 4;
        let mut reader = open(&bytes);
        assert!(reader.verify_all().is_err(), "byte {at}");
        let area = KeyArea::decode(&reader.key_area().unwrap()).unwrap();
        assert!(unlock(&area, &secret()).is_ok(), "byte {at}");
        bytes[at] ^= 4;
    }
}

#[test]
fn plain_blocks_have_no_place_in_an_encrypted_session() {
    let key = DataKey::random().unwrap();
    let id = session_id(1);
    let mut writer = VabWriter::create(Memory::default(), &header()).unwrap();
    let mut session = writer.begin(id, 1);
    let plain = |sequence| vab_format::block::BlockHeader::for_raw(id, 0, sequence, sequence, b"r");
    let mut sealer = SessionSealer::new(&key, id).unwrap().stream(0).unwrap();
    let (header, payload) = sealer.seal(&plain(0), b"r").unwrap();
    session.write(&header, &payload).unwrap();
    assert!(session.write(&plain(1), b"r").is_err());
}

#[test]
fn golden_files_are_read() {
    let compressed = std::fs::read(golden("compressed.VAB")).unwrap();
    check(open(&compressed));
    let encrypted = std::fs::read(golden("encrypted.VAB")).unwrap();
    for secret in [secret(), passphrase()] {
        check(open_with(&encrypted, &secret));
    }
}

#[test]
#[ignore = "writes the files anew: only for a new version of the format"]
fn write_the_golden_files() {
    std::fs::write(golden("compressed.VAB"), compressed()).unwrap();
    std::fs::write(golden("encrypted.VAB"), encrypted()).unwrap();
}
