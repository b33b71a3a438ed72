use vab_mover::Source;
use vab_mover::security::ClientRule;
use vab_vdi::memory::Hub;

use super::good::World;
use super::papers::{TOKEN, serve_with, token, trusting};
use crate::support::{
    MemoryStore, Proxy, Server, assert_streams, cut_often, restore, set_of, small_steps_of,
};

const STREAMS: u16 = 4;
const LENGTH: usize = 4_000_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_and_a_restore_survive_cuts_inside_tls() {
    let world = World::new();
    let store = MemoryStore::default();
    let rule = ClientRule::CertificateAndToken(world.authority.certificates(), token(TOKEN));
    let server = Server::start(&store, serve_with(&world.server, &rule)).await;
    let proxy = Proxy::to(server.address).await;
    let trusted = trusting(&world.authority, Some(&world.client), Some(token(TOKEN)));
    let options = small_steps_of(trusted);
    let source = Source::connect(proxy.address.to_string(), options)
        .await
        .unwrap();
    let hub = Hub::new();

    let session = source.begin_backup("job", STREAMS).await.unwrap();
    let (set, devices, engine) = set_of(&hub, "save", STREAMS.into(), |engine| {
        engine.back_up(LENGTH)
    });
    let running = tokio::spawn(session.run(devices, |_| ()));
    cut_often(&proxy, 4, 2_500_000, &running).await;
    let streamed = running.await.unwrap().unwrap();
    engine.join().unwrap().unwrap();
    set.close().unwrap();
    streamed.commit("facts").await.unwrap();

    let running = tokio::spawn(async move { restore(&source, STREAMS).await });
    cut_often(&proxy, 4, 2_500_000, &running).await;
    assert_streams(&running.await.unwrap(), LENGTH);
    server.stop().await;
}
