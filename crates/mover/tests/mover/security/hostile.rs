use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use vab_mover::Source;
use vab_mover::security::ClientRule;

use super::good::{GoodSession, World};
use super::papers::{serve_with, trusting};
use super::peers::raw;
use crate::hostile::attacks;
use crate::support::{MemoryStore, Server, eventually};

#[tokio::test]
async fn hostile_bytes_of_a_known_peer_end_its_connection_only() {
    let world = World::new();
    let store = MemoryStore::default();
    let rule = ClientRule::Certificate(world.authority.certificates());
    let server = Server::start(&store, serve_with(&world.server, &rule)).await;
    let options = trusting(&world.authority, Some(&world.client), None);
    let good = GoodSession::start(&server, options.clone()).await;
    for (number, attack) in attacks().iter().enumerate() {
        let mut stream = raw(&server, &world, &world.client).await;
        // The target may close at any of these bytes.
        let _ = stream.write_all(attack).await;
        let _ = stream.shutdown().await;
        let mut heard = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut heard))
            .await
            .unwrap_or_else(|_| panic!("attack {number} is not closed"));
        let source = Source::connect(server.name(), options.clone())
            .await
            .unwrap();
        assert_eq!(source.query("alive").await.unwrap(), b"ALIVE", "{number}");
    }
    eventually("only the good one is left", || store.open() == 1).await;
    good.end(&store).await;
    server.stop().await;
}

#[tokio::test]
async fn hostile_bytes_before_and_in_the_handshake_end_their_connection_only() {
    let world = World::new();
    let store = MemoryStore::default();
    let rule = ClientRule::Certificate(world.authority.certificates());
    let mut options = serve_with(&world.server, &rule);
    options.opening_limit = Duration::from_millis(500);
    let server = Server::start(&store, options).await;
    let options = trusting(&world.authority, Some(&world.client), None);
    let good = GoodSession::start(&server, options).await;
    // A record of a handshake message of 16 MiB, with whatever comes after it.
    let announced = [0x16, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff];
    let flood = || std::iter::repeat_n([0x16, 3, 3, 0, 4, 11, 0xff, 0xff, 0xff], 200_000);
    let mut handshakes = vec![
        vec![0x16],
        vec![0x16; 100_000],
        vec![0x16, 3, 1, 0xff, 0xff],
        [&announced[..], &[0; 16_384]].concat(),
        flood().flatten().collect(),
    ];
    handshakes.extend(attacks());
    for (number, attack) in handshakes.iter().enumerate() {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let _ = stream.write_all(attack).await;
        let mut heard = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut heard));
        assert!(closed.await.is_ok(), "handshake {number} is not closed");
    }
    assert_eq!(store.open(), 1);
    good.end(&store).await;
    server.stop().await;
}
