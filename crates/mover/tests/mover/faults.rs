//! What goes wrong on the way: no restore point, no leftover, and a message that names the cause.

use std::time::Duration;

use crate::support::{
    Engine, Fault, MemoryStore, Proxy, Server, eventually, movers, quick, save, set_of,
    stream_bytes,
};
use vab_mover::source::{BackupError, BackupSession, RestoreError, Streamed};
use vab_mover::target::{self, BindError, Exposure, ServeError, TargetOptions};
use vab_mover::{Source, SourceOptions};
use vab_vdi::Direction;
use vab_vdi::memory::Hub;

const LENGTH: usize = 3_000_000;

async fn source(server: &Server) -> Source {
    Source::connect(server.name(), quick()).await.unwrap()
}

/// Runs a backup of two streams whose engine behaves as told.
async fn back_up<T: Send + 'static>(
    session: BackupSession,
    engine: impl FnOnce(Engine) -> std::thread::JoinHandle<Result<T, vab_vdi::EngineError>>,
) -> (
    Result<Streamed, BackupError>,
    Result<T, vab_vdi::EngineError>,
) {
    let hub = Hub::new();
    let (_set, devices, engine) = set_of(&hub, "set", 2, engine);
    let outcome = session.run(devices, |_| ()).await;
    let engine = tokio::task::spawn_blocking(|| engine.join().unwrap())
        .await
        .unwrap();
    (outcome, engine)
}

fn nothing_left(store: &MemoryStore) {
    assert_eq!(store.saved().len(), 0);
    assert_eq!(store.open(), 0);
}

#[tokio::test]
async fn a_refusal_travels_word_for_word() {
    let store = MemoryStore::with(Fault::Begin);
    let server = Server::start(&store, TargetOptions::default()).await;
    let error = source(&server)
        .await
        .begin_backup("job 7", 1)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the target refused: no space: no room for job 7"
    );
    let error = source(&server)
        .await
        .open_restore("nothing")
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the target refused: not found: no such restore point"
    );
    nothing_left(&store);
    server.stop().await;
}

async fn store_fails(fault: Fault, says: &str) {
    let store = MemoryStore::with(fault);
    let server = Server::start(&store, TargetOptions::default()).await;
    let session = source(&server).await.begin_backup("job", 2).await.unwrap();
    let (outcome, engine) = back_up(session, |engine| engine.back_up(LENGTH)).await;
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains(says), "{error}");
    assert!(engine.is_err(), "the engine must hear of it");
    nothing_left(&store);
    assert_eq!(store.aborted().len(), 1);
    // The next backup works.
    store.set(Fault::None);
    let session = source(&server).await.begin_backup("job", 2).await.unwrap();
    let (outcome, engine) = back_up(session, |engine| engine.back_up(LENGTH)).await;
    engine.unwrap();
    outcome.unwrap().commit("facts").await.unwrap();
    assert_eq!(store.saved().len(), 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_in_mid_stream() {
    store_fails(
        Fault::Write(3),
        "the repository is full: /repository has 0 bytes",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_that_fails() {
    store_fails(Fault::Sync, "no sync").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_panics() {
    store_fails(Fault::Panic(2), "failed inside").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_fails() {
    let store = MemoryStore::with(Fault::Commit);
    let server = Server::start(&store, TargetOptions::default()).await;
    let session = source(&server).await.begin_backup("job", 2).await.unwrap();
    let (outcome, engine) = back_up(session, |engine| engine.back_up(LENGTH)).await;
    engine.unwrap();
    let error = outcome.unwrap().commit("facts").await.unwrap_err();
    assert!(
        error.to_string().contains("no room for the commit"),
        "{error}"
    );
    nothing_left(&store);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn facts_that_are_too_long_leave_nothing() {
    let (store, server, source) = movers(quick()).await;
    let session = source.begin_backup("job", 2).await.unwrap();
    let (outcome, _) = back_up(session, |engine| engine.back_up(1000)).await;
    let error = outcome.unwrap().commit(vec![0; 65_537]).await.unwrap_err();
    assert!(error.to_string().contains("65537"), "{error}");
    nothing_left(&store);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_device_that_ends_without_a_close_ends_all() {
    let (store, server, source) = movers(quick()).await;
    let session = source.begin_backup("job", 2).await.unwrap();
    let (outcome, engine) = back_up(session, |engine| {
        engine.run(Direction::Backup, |stream, device| {
            for piece in stream_bytes(stream, LENGTH).chunks(65_536).take(20) {
                device.write(piece)?;
            }
            if stream == 1 {
                // The database gives up.
                return Err(vab_vdi::EngineError::Aborted);
            }
            loop {
                device.write(&vec![0; 65_536])?;
            }
            #[expect(unreachable_code, reason = "gives the closure its type")]
            Ok(())
        })
    })
    .await;
    assert!(engine.is_err());
    let error = outcome.unwrap_err();
    assert!(matches!(error, BackupError::Stream { .. }), "{error}");
    nothing_left(&store);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_session_leaves_nothing() {
    let (store, server, source) = movers(quick()).await;
    let session = source.begin_backup("job", 2).await.unwrap();
    assert_eq!(store.open(), 1);
    drop(session);
    eventually("the session is gone", || store.open() == 0).await;
    let session = source.begin_backup("job", 2).await.unwrap();
    let (outcome, _) = back_up(session, |engine| engine.back_up(LENGTH)).await;
    drop(outcome.unwrap());
    eventually("the streamed session is gone", || store.open() == 0).await;
    nothing_left(&store);
    assert!(
        store
            .aborted()
            .iter()
            .all(|reason| reason.contains("dropped")),
        "{:?}",
        store.aborted()
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_aborted_session_has_left_nothing_when_the_call_returns() {
    let (store, server, source) = movers(quick()).await;
    let session = source.begin_backup("job", 2).await.unwrap();
    let (outcome, _) = back_up(session, |engine| engine.back_up(LENGTH)).await;
    outcome.unwrap().abort("BACKUP DATABASE failed").await;
    nothing_left(&store);
    assert_eq!(
        store.aborted(),
        ["ended by the source: BACKUP DATABASE failed"]
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_number_of_devices_must_be_that_of_the_streams() {
    let (store, server, source) = movers(quick()).await;
    let session = source.begin_backup("job", 3).await.unwrap();
    let (outcome, engine) = back_up(session, |engine| engine.back_up(LENGTH)).await;
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains("3 streams, 2 devices"), "{error}");
    assert!(engine.is_err());
    eventually("the session is gone", || store.open() == 0).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flush_waits_until_its_bytes_are_durable() {
    let (store, server, source) = movers(quick()).await;
    let session = source.begin_backup("job", 2).await.unwrap();
    let seen = store.clone();
    let (outcome, engine) = back_up(session, move |engine| {
        engine.run(Direction::Backup, move |stream, device| {
            let mut durable = Vec::new();
            for piece in stream_bytes(stream, LENGTH).chunks(LENGTH / 5) {
                device.write(piece)?;
                device.flush()?;
                durable.push(seen.durable_bytes(stream));
            }
            Ok(durable)
        })
    })
    .await;
    let fifth = (LENGTH / 5) as u64;
    for durable in engine.unwrap() {
        assert_eq!(durable, (1..=5).map(|n| n * fifth).collect::<Vec<_>>());
    }
    drop(outcome);
    server.stop().await;
}

async fn restore_fails(fault: Fault, says: &str) {
    let (store, server, source) = movers(quick()).await;
    save(&source, 2, LENGTH).await;
    store.set(fault);
    let restore = source.open_restore("facts").await.unwrap();
    let hub = Hub::new();
    let (_set, devices, engine) = set_of(&hub, "set", 2, Engine::restore);
    let error = restore.run(devices, |_| ()).await.unwrap_err().to_string();
    assert!(error.contains(says), "{error}");
    assert!(
        engine.join().unwrap().is_err(),
        "the engine must hear of it"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_that_cannot_be_read_back() {
    restore_fails(Fault::Read(2), "block 2 is unreadable").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_that_is_not_what_was_stored() {
    restore_fails(Fault::Corrupt(1), "block 1 is damaged").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_may_close_a_restore_early() {
    let (_, server, source) = movers(quick()).await;
    save(&source, 2, LENGTH).await;
    let restore = source.open_restore("facts").await.unwrap();
    let hub = Hub::new();
    let (_set, devices, engine) = set_of(&hub, "set", 2, |engine| {
        engine.run(Direction::Restore, |stream, device| {
            let mut buffer = vec![0; 65_536];
            // Stream 1 is not looked at before stream 0 is read to its end.
            if stream == 0 {
                while device.read(&mut buffer)? > 0 {}
            } else {
                device.read(&mut buffer)?;
            }
            Ok(())
        })
    });
    let restored = restore.run(devices, |_| ()).await.unwrap();
    engine.join().unwrap().unwrap();
    assert_eq!(restored.bytes, [LENGTH as u64, 65_536]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_needs_as_many_devices_as_streams() {
    let (_, server, source) = movers(quick()).await;
    save(&source, 2, LENGTH).await;
    let restore = source.open_restore("facts").await.unwrap();
    let error = restore.run(Vec::new(), |_| ()).await.unwrap_err();
    assert!(
        matches!(
            error,
            RestoreError::Devices {
                streams: 2,
                devices: 0
            }
        ),
        "{error}"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_resume_a_cut_ends_the_backup_on_both_sides() {
    let store = MemoryStore::default();
    let server = Server::start(&store, TargetOptions::default()).await;
    let proxy = Proxy::to(server.address).await;
    let mut options = quick();
    options.resume.limit = Duration::ZERO;
    let source = Source::connect(proxy.address.to_string(), options)
        .await
        .unwrap();
    let session = source.begin_backup("job", 2).await.unwrap();
    let proxy = std::sync::Arc::new(proxy);
    let (outcome, engine) = back_up(session, move |engine| {
        engine.run(Direction::Backup, move |_, device| {
            loop {
                device.write(&vec![7; 65_536])?;
                if proxy.passed() > 5_000_000 {
                    proxy.cut();
                }
            }
            #[expect(unreachable_code, reason = "gives the closure its type")]
            Ok(())
        })
    })
    .await;
    assert!(engine.is_err());
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains("did not come back"), "{error}");
    eventually("the target has let go", || store.open() == 0).await;
    nothing_left(&store);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_stops_ends_what_runs_and_leaves_nothing() {
    let store = MemoryStore::default();
    let options = TargetOptions {
        shutdown_limit: Duration::from_millis(100),
        ..TargetOptions::default()
    };
    let server = Server::start(&store, options).await;
    let source = source(&server).await;
    let session = source.begin_backup("job", 2).await.unwrap();
    let (stop, stopping) = std::sync::mpsc::channel();
    let running = tokio::spawn(back_up(session, move |engine| {
        engine.run(Direction::Backup, move |_, device| {
            let mut first = true;
            loop {
                device.write(&vec![7; 65_536])?;
                if std::mem::take(&mut first) {
                    let _ = stop.send(());
                }
            }
            #[expect(unreachable_code, reason = "gives the closure its type")]
            Ok(())
        })
    }));
    tokio::task::spawn_blocking(move || stopping.recv())
        .await
        .unwrap()
        .unwrap();
    server.stop().await;
    nothing_left(&store);
    let (outcome, engine) = running.await.unwrap();
    assert!(engine.is_err());
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains("shutting down"), "{error}");
    let error = source.query("x").await.unwrap_err().to_string();
    assert!(error.contains("cannot be reached"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_stops_does_not_wait_for_a_source_that_is_gone() {
    let store = MemoryStore::default();
    let options = TargetOptions {
        shutdown_limit: Duration::from_secs(3600),
        ..TargetOptions::default()
    };
    let server = Server::start(&store, options).await;
    let proxy = Proxy::to(server.address).await;
    let source = Source::connect(proxy.address.to_string(), quick())
        .await
        .unwrap();
    let session = source.begin_backup("job", 1).await.unwrap();
    proxy.point_to("127.0.0.1:1".parse().unwrap());
    proxy.cut();
    server.stop().await;
    nothing_left(&store);
    drop(session);
}

#[tokio::test]
async fn a_port_in_use_and_an_open_address_are_told_apart() {
    let first = target::bind("127.0.0.1:0", Exposure::Loopback)
        .await
        .unwrap();
    let address = first.local_addr().unwrap();
    let error = target::bind(address, Exposure::Loopback).await.unwrap_err();
    assert!(matches!(error, BindError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("choose another port"), "{error}");
    let error = target::bind("0.0.0.0:0", Exposure::Loopback)
        .await
        .unwrap_err();
    assert!(matches!(error, BindError::NotLoopback { .. }), "{error}");
    let open = target::bind("0.0.0.0:0", Exposure::AnyoneOnTheNetwork)
        .await
        .unwrap();
    let store = std::sync::Arc::new(MemoryStore::default());
    let error = target::serve(
        open,
        store,
        TargetOptions::default(),
        std::future::pending(),
    )
    .await
    .unwrap_err();
    assert!(
        matches!(error, ServeError::Bind(BindError::NotLoopback { .. })),
        "{error}"
    );
}

#[tokio::test]
async fn nobody_at_the_address() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = Source::connect(address.clone(), SourceOptions::default())
        .await
        .unwrap_err();
    let says = error.to_string();
    assert!(
        says.contains(&address) && says.contains("cannot be reached"),
        "{says}"
    );
}
