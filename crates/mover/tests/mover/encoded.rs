//! Blocks that are compressed and encrypted at the source, over real sockets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::support::{
    Engine, Fault, MemoryStore, Saved, Server, cut_often, eventually, movers, movers_apart, quick,
    set_of, small_steps,
};
use vab_format::block::Codec;
use vab_format::checksum;
use vab_format::codec::Decoder;
use vab_format::crypto::{DataKey, Secret, unlock, wrap};
use vab_format::vab::KeyArea;
use vab_mover::source::{BackupError, KeyError, RestoreError, StreamError};
use vab_mover::target::TargetOptions;
use vab_mover::{Compression, Encoding, Encryption, Secrets, Source};
use vab_vdi::memory::Hub;
use vab_vdi::{Direction, EngineDevice, EngineError};

const STREAMS: u16 = 3;
/// Occurs in every block; must not be seen on the wire or in the store when encrypted.
const MARKER: &[u8] = b"confidential row of a customer";

fn key(byte: u8) -> Secret {
    Secret::key([byte; 32])
}

fn encrypted(compression: Compression, byte: u8) -> Encoding {
    let encryption = Encryption::new([(key(byte), format!("key {byte}"))]).unwrap();
    Encoding::compressed(compression).encrypted(encryption)
}

/// A stream that compresses well in parts and not at all in others.
fn content(stream: u16, length: usize) -> Vec<u8> {
    let mut state = u64::from(stream) * 977 + 13;
    let mut bytes = Vec::with_capacity(length + 8192);
    while bytes.len() < length {
        bytes.extend_from_slice(MARKER);
        bytes.extend_from_slice(&[u8::try_from(stream).unwrap(); 700]);
        if bytes.len() / 400_000 % 2 == 1 {
            for _ in 0..500 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                bytes.extend_from_slice(&state.to_be_bytes());
            }
        }
    }
    bytes.truncate(length);
    bytes
}

/// Writes the content in pieces of sizes that have nothing to do with blocks.
fn write(stream: u16, device: &mut EngineDevice, length: usize) -> Result<(), EngineError> {
    let bytes = content(stream, length);
    let mut rest = bytes.as_slice();
    for size in [512, 65_536, 131_072, 4096, 1_000_448].into_iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at(rest.len().min(size));
        device.write(now)?;
        rest = later;
    }
    device.flush()?;
    device.complete()
}

async fn back_up(source: &Source, encoding: &Encoding, length: usize) -> Result<(), BackupError> {
    let session = source.begin_backup_with("job", STREAMS, encoding).await?;
    let hub = Hub::new();
    let (set, devices, engine) = set_of(&hub, "save", STREAMS.into(), |engine: Engine| {
        engine.run(Direction::Backup, move |stream, device| {
            write(stream, device, length)
        })
    });
    let moved = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&moved);
    let streamed = session
        .run(devices, move |progress| {
            counted.fetch_max(progress.bytes, Ordering::Relaxed);
        })
        .await?;
    engine.join().unwrap().unwrap();
    set.close().unwrap();
    assert_eq!(moved.load(Ordering::Relaxed), length as u64);
    streamed.commit("facts").await.unwrap();
    Ok(())
}

async fn restore(source: &Source, secrets: &Secrets) -> Result<Vec<Vec<u8>>, RestoreError> {
    let session = source.open_restore_with("facts", secrets).await?;
    let hub = Hub::new();
    let (set, devices, engine) = set_of(&hub, "restore", STREAMS.into(), Engine::restore);
    let outcome = session.run(devices, |_| ()).await;
    let bytes = engine.join().unwrap();
    match outcome {
        Ok(_) => {
            set.close().unwrap();
            Ok(bytes.unwrap())
        }
        Err(error) => {
            assert!(bytes.is_err(), "the engine must not take it for whole");
            Err(error)
        }
    }
}

fn contents(length: usize) -> Vec<Vec<u8>> {
    (0..STREAMS).map(|stream| content(stream, length)).collect()
}

fn holds_marker(saved: &Saved) -> bool {
    saved.blocks.values().any(|block| {
        let mut windows = block.payload.windows(MARKER.len());
        windows.any(|window| window == MARKER)
    })
}

fn encodings() -> Vec<Encoding> {
    let compressions = ["none", "lz4", "zstd", "zstd:9", "auto"];
    let compressions = compressions.map(|text| text.parse().unwrap());
    let plain = compressions.map(Encoding::compressed);
    let sealed = compressions.map(|compression| encrypted(compression, 1));
    plain.into_iter().chain(sealed).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_encoding_comes_back_as_it_was() {
    for encoding in encodings() {
        for length in [0, 1, 3_000_000] {
            let (store, server, source) = movers(quick()).await;
            back_up(&source, &encoding, length).await.unwrap();
            let secrets = Secrets::new([key(1)]);
            let restored = restore(&source, &secrets).await.unwrap();
            assert!(restored == contents(length), "{encoding:?}, {length} bytes");

            let saved = store.saved().remove(0);
            let sealed = encoding.encryption.is_some();
            for block in saved.blocks.values() {
                block.header.verify(&block.payload).unwrap();
                assert_eq!(block.header.is_encrypted(), sealed);
            }
            for (end, raw) in saved.ends.iter().zip(contents(length)) {
                assert_eq!(end.bytes, length as u64);
                let masked = sealed && length > 0;
                assert_eq!(end.crc != checksum::crc32c(&raw), masked, "{encoding:?}");
            }
            let stored: u64 = saved.ends.iter().map(|end| end.stored_bytes).sum();
            if length > 1000 {
                let compressed = encoding.compression != Compression::None;
                assert_eq!(stored < 3 * 2_500_000, compressed, "{encoding:?}: {stored}");
                assert!(!sealed || !holds_marker(&saved), "{encoding:?}");
                assert!(
                    sealed || compressed || holds_marker(&saved),
                    "the marker can be found"
                );
            }
            server.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stored_opens_with_the_key_alone() {
    let (store, server, source) = movers(quick()).await;
    let encoding = encrypted("zstd".parse().unwrap(), 7);
    back_up(&source, &encoding, 2_000_000).await.unwrap();
    let saved = store.saved().remove(0);
    let data_key = unlock(&saved.keys.unwrap(), &key(7)).unwrap();
    for stream in 0..STREAMS {
        let mut decoder = Decoder::with_key(data_key.clone());
        let mut raw = Vec::new();
        for (_, block) in saved.blocks.range((stream, 0)..=(stream, u64::MAX)) {
            raw.extend(
                decoder
                    .decode(&block.header, block.payload.clone().into_bytes())
                    .unwrap(),
            );
        }
        assert!(raw == content(stream, 2_000_000));
        let end = decoder.end(saved.session, saved.ends[usize::from(stream)]);
        assert_eq!(end.unwrap().crc, checksum::crc32c(&raw));
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn encoded_streams_survive_cuts_in_both_directions() {
    const LENGTH: usize = 6_000_000;
    for encoding in [
        Encoding::compressed(Compression::Lz4),
        encrypted(Compression::None, 1),
        encrypted(Compression::Auto, 1),
    ] {
        let (_, server, proxy, source) = movers_apart(small_steps()).await;
        let running = tokio::spawn({
            let (source, encoding) = (source.clone(), encoding.clone());
            async move { back_up(&source, &encoding, LENGTH).await }
        });
        cut_often(&proxy, 6, 700_000, &running).await;
        running.await.unwrap().unwrap();

        let running = tokio::spawn({
            let source = source.clone();
            async move { restore(&source, &Secrets::new([key(1)])).await }
        });
        cut_often(&proxy, 4, 700_000, &running).await;
        assert!(
            running.await.unwrap().unwrap() == contents(LENGTH),
            "{encoding:?}"
        );
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_encoded_backup_survives_the_death_of_the_target() {
    const LENGTH: usize = 5_000_000;
    let (store, mut server, proxy, source) = movers_apart(small_steps()).await;
    let encoding = encrypted(Compression::Auto, 3);
    let running = tokio::spawn({
        let (source, encoding) = (source.clone(), encoding.clone());
        async move { back_up(&source, &encoding, LENGTH).await }
    });
    for death in 1..=3_u64 {
        eventually("bytes pass", || {
            proxy.passed() > death * 1_500_000 || running.is_finished()
        })
        .await;
        proxy.isolate().await;
        server.kill().await;
        store.lose_power();
        server = Server::start(&store, TargetOptions::default()).await;
        proxy.point_to(server.address);
    }
    running.await.unwrap().unwrap();
    let restored = restore(&source, &Secrets::new([key(3)])).await.unwrap();
    assert!(restored == contents(LENGTH));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_or_missing_key_is_told_before_the_engine_gets_a_byte() {
    let (_, server, source) = movers(quick()).await;
    back_up(&source, &encrypted(Compression::None, 1), 100_000)
        .await
        .unwrap();
    let missing = source.open_restore("facts").await.unwrap_err();
    assert!(matches!(
        &missing,
        RestoreError::Key(KeyError::Missing { slots }) if slots.contains("key 1")
    ));
    assert!(missing.to_string().contains("--encryption-key-file"));
    let wrong = Secrets::new([key(2), Secret::passphrase("no slot is for one")]);
    let wrong = source.open_restore_with("facts", &wrong).await;
    assert!(matches!(
        wrong,
        Err(RestoreError::Key(KeyError::Wrong { .. }))
    ));
    let right = Secrets::new([key(2), key(1)]);
    assert!(restore(&source, &right).await.unwrap() == contents(100_000));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_of_one_file_share_its_key_and_others_are_refused() {
    let (store, server, source) = movers(quick()).await;
    let mine = encrypted(Compression::None, 1);
    back_up(&source, &mine, 1000).await.unwrap();
    back_up(&source, &mine, 1000).await.unwrap();
    let theirs = encrypted(Compression::None, 2);
    let error = back_up(&source, &theirs, 1000).await.unwrap_err();
    assert!(
        matches!(&error, BackupError::Key(KeyError::InForce { slots }) if slots.contains("key 1")),
        "{error}"
    );
    eventually("nothing is left", || store.open() == 0).await;
    store.new_file();
    back_up(&source, &theirs, 1000).await.unwrap();
    let saved = store.saved();
    assert_eq!(saved.len(), 3);
    assert_eq!(saved[0].keys, saved[1].keys);
    assert!(unlock(saved[2].keys.as_ref().unwrap(), &key(2)).is_ok());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_does_otherwise_than_asked_gets_nothing() {
    let store = MemoryStore::default();
    let data_key = DataKey::random().unwrap();
    store.be_contrary(KeyArea::of([wrap(&data_key, &key(9), "its own").unwrap()]));
    let server = Server::start(&store, TargetOptions::default()).await;
    let source = Source::connect(server.name(), quick()).await.unwrap();
    let plain = back_up(&source, &encrypted(Compression::None, 1), 1000).await;
    assert!(matches!(
        plain,
        Err(BackupError::Key(KeyError::NotEncrypted))
    ));
    let sealed = back_up(&source, &Encoding::default(), 1000).await;
    assert!(matches!(sealed, Err(BackupError::Key(KeyError::Unasked))));
    eventually("nothing is left", || store.open() == 0).await;
    assert!(store.saved().is_empty());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_payload_ends_the_restore_whatever_the_encoding() {
    for encoding in encodings() {
        let (store, server, source) = movers(small_steps()).await;
        back_up(&source, &encoding, 1_000_000).await.unwrap();
        store.set(Fault::Corrupt(3));
        let error = restore(&source, &Secrets::new([key(1)])).await.unwrap_err();
        assert!(
            matches!(
                error,
                RestoreError::Stream {
                    source: StreamError::Damaged { sequence: 3, .. },
                    ..
                }
            ),
            "{encoding:?}: {error}"
        );
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_compress_is_kept_raw_and_without_a_second_copy() {
    let (store, server, source) = movers(quick()).await;
    let encoding = Encoding::compressed("zstd:3".parse().unwrap());
    let session = source.begin_backup_with("job", 1, &encoding).await.unwrap();
    let hub = Hub::new();
    let (set, devices, engine) = set_of(&hub, "noise", 1, |engine| engine.back_up(4_000_000));
    let streamed = session.run(devices, |_| ()).await.unwrap();
    engine.join().unwrap().unwrap();
    set.close().unwrap();
    streamed.commit("facts").await.unwrap();
    let saved = store.saved().remove(0);
    assert!(
        saved
            .blocks
            .values()
            .all(|block| block.header.codec == Codec::Raw)
    );
    assert_eq!(saved.ends[0].stored_bytes, 4_000_000);
    server.stop().await;
}
