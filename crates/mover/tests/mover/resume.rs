//! Connections that break and targets that are killed, over real sockets.

use std::time::Duration;

use crate::support::{
    MemoryStore, Proxy, Server, apart, assert_streams, cut_often, eventually, movers_apart,
    restore, save, set_of, small_steps, stream_bytes,
};
use vab_mover::Source;
use vab_mover::target::TargetOptions;
use vab_vdi::memory::Hub;

const STREAMS: u16 = 4;
const LENGTH: usize = 6_000_000;

fn check(store: &MemoryStore) {
    let saved = store.saved();
    assert_eq!(saved.len(), 1);
    for stream in 0..STREAMS {
        assert!(
            saved[0].stream(stream) == stream_bytes(stream, LENGTH),
            "stream {stream} differs"
        );
    }
    assert_eq!(store.open(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_survives_cuts() {
    let (store, server, proxy, source) = movers_apart(small_steps()).await;
    let session = source.begin_backup("job", STREAMS).await.unwrap();
    let hub = Hub::new();
    let (set, devices, engine) =
        set_of(&hub, "set", STREAMS.into(), |engine| engine.back_up(LENGTH));
    let running = tokio::spawn(session.run(devices, |_| ()));
    cut_often(&proxy, 10, 2_000_000, &running).await;
    let streamed = running.await.unwrap().unwrap();
    engine.join().unwrap().unwrap();
    set.close().unwrap();
    proxy.cut();
    streamed.commit("facts").await.unwrap();
    check(&store);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_survives_the_death_of_the_target() {
    let (store, mut server, proxy, source) = movers_apart(small_steps()).await;
    let session = source.begin_backup("job", STREAMS).await.unwrap();
    let hub = Hub::new();
    let (set, devices, engine) =
        set_of(&hub, "set", STREAMS.into(), |engine| engine.back_up(LENGTH));
    let running = tokio::spawn(session.run(devices, |_| ()));
    for death in 1..=5_u64 {
        eventually("bytes pass", || {
            proxy.passed() > death * 3_500_000 || running.is_finished()
        })
        .await;
        proxy.isolate().await;
        server.kill().await;
        store.lose_power();
        server = Server::start(&store, TargetOptions::default()).await;
        proxy.point_to(server.address);
    }
    let streamed = running.await.unwrap().unwrap();
    engine.join().unwrap().unwrap();
    set.close().unwrap();
    streamed.commit("facts").await.unwrap();
    check(&store);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_survives_cuts_and_deaths() {
    let (store, mut server, proxy, source) = movers_apart(small_steps()).await;
    save(&source, STREAMS, LENGTH).await;
    let before = proxy.passed();
    let running = tokio::spawn(async move { restore(&source, STREAMS).await });
    for cut in 1..=8_u64 {
        eventually("bytes pass", || {
            proxy.passed() > before + cut * 2_500_000 || running.is_finished()
        })
        .await;
        if cut % 2 == 0 {
            proxy.isolate().await;
            server.kill().await;
            server = Server::start(&store, TargetOptions::default()).await;
            proxy.point_to(server.address);
        } else {
            proxy.cut();
        }
    }
    assert_streams(&running.await.unwrap(), LENGTH);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_limit_is_over_both_sides_give_up() {
    let mut target = TargetOptions::default();
    target.session.patience = Duration::from_millis(100);
    let mut options = small_steps();
    options.resume.limit = Duration::from_millis(200);
    let (store, server, proxy, source) = apart(target, options).await;
    let session = source.begin_backup("job", STREAMS).await.unwrap();
    let hub = Hub::new();
    let (_set, devices, engine) =
        set_of(&hub, "set", STREAMS.into(), |engine| engine.back_up(LENGTH));
    let running = tokio::spawn(session.run(devices, |_| ()));
    eventually("bytes pass", || proxy.passed() > 3_000_000).await;
    proxy.point_to("127.0.0.1:1".parse().unwrap());
    proxy.cut();
    let error = running.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("did not come back"), "{error}");
    assert!(engine.join().unwrap().is_err());
    eventually("the target lets go", || store.open() == 0).await;
    assert_eq!(store.saved().len(), 0);
    assert_eq!(store.aborted(), ["the source did not come back in time"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_comes_back_hears_why_the_session_ended() {
    let (store, server, proxy, source) = movers_apart(small_steps()).await;
    let here = Source::connect(server.name(), small_steps()).await.unwrap();
    let session = source.begin_backup("slot", STREAMS).await.unwrap();
    let hub = Hub::new();
    let (_set, devices, engine) =
        set_of(&hub, "set", STREAMS.into(), |engine| engine.back_up(LENGTH));
    let running = tokio::spawn(session.run(devices, |_| ()));
    eventually("bytes pass", || proxy.passed() > 3_000_000).await;
    proxy.point_to("127.0.0.1:1".parse().unwrap());
    proxy.cut();
    // The target may not have heard of the cut yet.
    let mut others = Vec::new();
    while store.aborted().is_empty() {
        others.push(here.begin_backup("slot", 1).await.unwrap());
    }
    proxy.point_to(server.address);
    let error = running.await.unwrap().unwrap_err().to_string();
    assert!(
        error.contains("a new backup of the same database began"),
        "{error}"
    );
    assert!(engine.join().unwrap().is_err());
    drop(others);
    eventually("nothing is left", || store.open() == 0).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_backup_of_the_same_slot_ends_the_one_whose_source_is_gone() {
    let store = MemoryStore::default();
    let server = Server::start(&store, TargetOptions::default()).await;
    let proxy = Proxy::to(server.address).await;
    let away = Source::connect(proxy.address.to_string(), small_steps())
        .await
        .unwrap();
    let here = Source::connect(server.name(), small_steps()).await.unwrap();
    let lost = away.begin_backup("slot", 1).await.unwrap();
    let other = here.begin_backup("slot 2", 1).await.unwrap();
    // The target hears of the source at least once before the cut.
    tokio::time::sleep(Duration::from_millis(100)).await;
    proxy.point_to("127.0.0.1:1".parse().unwrap());
    proxy.cut();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(store.open(), 2);
    let again = here.begin_backup("slot", 1).await.unwrap();
    assert_eq!(store.open(), 2);
    assert_eq!(store.aborted(), ["a new backup of the same database began"]);
    drop((lost, other, again));
    eventually("nothing is left", || store.open() == 0).await;
    server.stop().await;
}
