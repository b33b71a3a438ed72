//! Both movers on loopback, and whole backups and restores between them.

use std::time::Duration;

use tokio::task::JoinHandle;
use vab_mover::target::TargetOptions;
use vab_mover::{Source, SourceOptions};
use vab_vdi::memory::Hub;

use super::{Engine, MemoryStore, Proxy, Server, eventually, set_of, stream_bytes};

/// A target with a store in memory, and a source that is connected to it.
pub(crate) async fn movers(options: SourceOptions) -> (MemoryStore, Server, Source) {
    let store = MemoryStore::default();
    let server = Server::start(&store, TargetOptions::default()).await;
    let source = Source::connect(server.name(), options).await.unwrap();
    (store, server, source)
}

/// The same with a proxy between them.
pub(crate) async fn movers_apart(options: SourceOptions) -> (MemoryStore, Server, Proxy, Source) {
    apart(TargetOptions::default(), options).await
}

pub(crate) async fn apart(
    target: TargetOptions,
    options: SourceOptions,
) -> (MemoryStore, Server, Proxy, Source) {
    let store = MemoryStore::default();
    let server = Server::start(&store, target).await;
    let proxy = Proxy::to(server.address).await;
    let source = Source::connect(proxy.address.to_string(), options)
        .await
        .unwrap();
    (store, server, proxy, source)
}

/// Options that come back quickly.
pub(crate) fn quick() -> SourceOptions {
    let mut options = SourceOptions::default();
    options.resume.first_delay = Duration::from_millis(5);
    options.resume.longest_delay = Duration::from_millis(50);
    options
}

/// The same, with so little memory that every cut falls among unsafe blocks.
pub(crate) fn small_steps() -> SourceOptions {
    small_steps_of(quick())
}

pub(crate) fn small_steps_of(mut options: SourceOptions) -> SourceOptions {
    options.backup_memory = 2 << 20;
    options.restore_memory = 1 << 20;
    options.block_size = 64 << 10;
    options
}

/// A backup of `length` bytes a stream, to its commit; gives the receipt.
pub(crate) async fn save(source: &Source, streams: u16, length: usize) -> Vec<u8> {
    let session = source.begin_backup("job", streams).await.unwrap();
    let (set, devices, engine) = set_of(&Hub::new(), "save", streams.into(), |engine| {
        engine.back_up(length)
    });
    let streamed = session.run(devices, |_| ()).await.unwrap();
    engine.join().unwrap().unwrap();
    set.close().unwrap();
    streamed.commit("facts").await.unwrap()
}

/// A restore of all streams.
pub(crate) async fn restore(source: &Source, streams: u16) -> Vec<Vec<u8>> {
    let restore = source.open_restore("facts").await.unwrap();
    let (set, devices, engine) = set_of(&Hub::new(), "restore", streams.into(), Engine::restore);
    restore.run(devices, |_| ()).await.unwrap();
    let bytes = engine.join().unwrap().unwrap();
    set.close().unwrap();
    bytes
}

/// That these are the streams of a backup of `length` bytes each.
pub(crate) fn assert_streams(streams: &[Vec<u8>], length: usize) {
    for (stream, bytes) in (0..).zip(streams) {
        let same = *bytes == stream_bytes(stream, length);
        assert!(same, "stream {stream} differs");
    }
}

/// Cuts the connection so often, each time after so many bytes more, until `running` is over.
pub(crate) async fn cut_often<T>(proxy: &Proxy, cuts: u64, every: u64, running: &JoinHandle<T>) {
    let start = proxy.passed();
    for cut in 1..=cuts {
        let due = || proxy.passed() > start + cut * every || running.is_finished();
        eventually("bytes pass", due).await;
        proxy.cut();
    }
}
