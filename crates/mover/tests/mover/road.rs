//! The whole way: engine, devices, source, loopback, target, store, and back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::support::{Engine, assert_streams, movers, quick, restore, set_of, stream_bytes};
use vab_vdi::Direction;
use vab_vdi::memory::Hub;

async fn there_and_back(devices: usize, length: usize) {
    let (store, server, source) = movers(quick()).await;
    let hub = Hub::new();

    let streams = u16::try_from(devices).unwrap();
    let session = source.begin_backup("job", streams).await.unwrap();
    let (set, opened, engine) = set_of(&hub, "save", devices, |engine| engine.back_up(length));
    let seen = Arc::new(AtomicU64::new(0));
    let streamed = session
        .run(opened, {
            let seen = Arc::clone(&seen);
            move |progress| {
                seen.fetch_max(progress.bytes, Ordering::Relaxed);
            }
        })
        .await
        .unwrap();
    engine.join().unwrap().unwrap();
    set.close().unwrap();
    assert_eq!(seen.load(Ordering::Relaxed), length as u64);
    assert_eq!(store.saved().len(), 0, "nothing is there before the commit");
    assert_eq!(streamed.ends().len(), devices);
    let receipt = streamed.commit("facts").await.unwrap();

    let saved = store.saved();
    assert_eq!(saved.len(), 1);
    assert_eq!(receipt, saved[0].session.as_bytes());
    for stream in 0..streams {
        let bytes = stream_bytes(stream, length);
        assert!(saved[0].stream(stream) == bytes, "stream {stream} differs");
        let end = saved[0].ends[usize::from(stream)];
        assert_eq!((end.stream, end.bytes), (stream, length as u64));
        assert_eq!(end.crc, vab_format::checksum::crc32c(&bytes));
    }

    let restore = source.open_restore("facts").await.unwrap();
    assert_eq!(restore.streams(), saved[0].ends);
    let (set, opened, engine) = set_of(&hub, "restore", devices, Engine::restore);
    let restored = restore.run(opened, |_| ()).await.unwrap();
    assert_eq!(restored.bytes, vec![length as u64; devices]);
    for (stream, bytes) in (0..).zip(engine.join().unwrap().unwrap()) {
        assert!(
            bytes == stream_bytes(stream, length),
            "stream {stream} differs"
        );
    }
    set.close().unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_stream() {
    there_and_back(1, 5_000_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_streams() {
    there_and_back(4, 8_000_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_streams() {
    there_and_back(64, 400_001).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_stream() {
    there_and_back(2, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_backups_at_once() {
    tokio::join!(there_and_back(2, 3_000_000), there_and_back(3, 3_000_000));
}

/// Whole blocks are taken over from the device, others are gathered; the stream is the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transfers_of_any_sizes_are_one_stream() {
    const LENGTH: usize = 30_000_000;
    let (store, server, source) = movers(quick()).await;
    let hub = Hub::new();
    let session = source.begin_backup("job", 2).await.unwrap();
    let (set, devices, engine) = set_of(&hub, "save", 2, |engine| {
        engine.run(Direction::Backup, |stream, device| {
            let bytes = stream_bytes(stream, LENGTH);
            let mut rest = &bytes[..];
            let sizes = [1 << 20, 1 << 20, 512, (1 << 20) - 512, 1 << 20, 1 << 20, 77];
            for size in sizes.into_iter().cycle().skip(usize::from(stream)) {
                let (now, later) = rest.split_at(rest.len().min(size));
                device.write(now)?;
                rest = later;
                if rest.is_empty() {
                    break;
                }
                // From time to time a block ends early.
                if size == 77 && rest.len().is_multiple_of(2) {
                    device.flush()?;
                }
            }
            device.complete()
        })
    });
    let streamed = session.run(devices, |_| ()).await.unwrap();
    engine.join().unwrap().unwrap();
    set.close().unwrap();
    streamed.commit("facts").await.unwrap();
    for stream in 0..2 {
        assert!(store.saved()[0].stream(stream) == stream_bytes(stream, LENGTH));
    }
    assert_streams(&restore(&source, 2).await, LENGTH);
    server.stop().await;
}

#[tokio::test]
async fn queries_are_answered_whatever_their_length() {
    let (_, server, source) = movers(quick()).await;
    assert_eq!(source.query("hello").await.unwrap(), b"HELLO");
    assert_eq!(source.query("").await.unwrap(), b"");
    assert_eq!(source.query("long").await.unwrap().len(), 3_000_000);
    let refused = source.query("no").await.unwrap_err();
    assert_eq!(refused.to_string(), "not allowed: not for you");
    assert!(
        source
            .query("too long")
            .await
            .unwrap_err()
            .to_string()
            .contains("17825792")
    );
    assert!(
        source
            .query(vec![0; 65_537])
            .await
            .unwrap_err()
            .to_string()
            .contains("65537")
    );
    server.stop().await;
}
