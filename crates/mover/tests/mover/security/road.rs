use vab_mover::Source;
use vab_mover::security::ClientRule;
use vab_vdi::memory::Hub;

use super::good::World;
use super::papers::{TOKEN, serve_with, token, trusting};
use crate::support::{Engine, MemoryStore, Proxy, Server, eventually, set_of, stream_bytes};

const STREAMS: u16 = 4;
const LENGTH: usize = 4_000_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_and_a_restore_survive_cuts_inside_tls() {
    let world = World::new();
    let store = MemoryStore::default();
    let rule = ClientRule::CertificateAndToken(world.authority.certificates(), token(TOKEN));
    let server = Server::start(&store, serve_with(&world.server, &rule)).await;
    let proxy = Proxy::to(server.address).await;
    let mut options = trusting(&world.authority, Some(&world.client), Some(token(TOKEN)));
    // Much more is sent than can be kept, so that every cut falls among unsafe blocks.
    options.backup_memory = 2 << 20;
    options.restore_memory = 1 << 20;
    options.block_size = 64 << 10;
    let source = Source::connect(proxy.address.to_string(), options)
        .await
        .unwrap();
    let hub = Hub::new();

    let session = source.begin_backup("job", STREAMS).await.unwrap();
    let (set, devices, engine) = set_of(&hub, "save", STREAMS.into(), |engine| {
        engine.back_up(LENGTH)
    });
    let running = tokio::spawn(session.run(devices, |_| ()));
    for cut in 1..=4_u64 {
        let due = || proxy.passed() > cut * 2_500_000 || running.is_finished();
        eventually("bytes pass", due).await;
        proxy.cut();
    }
    let streamed = running.await.unwrap().unwrap();
    engine.join().unwrap().unwrap();
    set.close().unwrap();
    streamed.commit("facts").await.unwrap();

    let restore = source.open_restore("facts").await.unwrap();
    let (set, devices, engine) = set_of(&hub, "restore", STREAMS.into(), Engine::restore);
    let start = proxy.passed();
    let running = tokio::spawn(restore.run(devices, |_| ()));
    for cut in 1..=4_u64 {
        let due = || proxy.passed() > start + cut * 2_500_000 || running.is_finished();
        eventually("bytes pass", due).await;
        proxy.cut();
    }
    running.await.unwrap().unwrap();
    for (stream, bytes) in (0..).zip(engine.join().unwrap().unwrap()) {
        assert!(
            bytes == stream_bytes(stream, LENGTH),
            "stream {stream} differs"
        );
    }
    set.close().unwrap();
    server.stop().await;
}
