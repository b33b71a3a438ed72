use std::time::Duration;

use tokio::net::TcpStream;
use vab_mover::Source;
use vab_mover::security::ClientRule;

use super::good::{GoodSession, World};
use super::papers::{serve_with, trusting};
use crate::support::Log;
use crate::support::{MemoryStore, Server, eventually};

/// Bytes of memory this process has, where the system says so.
fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// Connections this process can have open, both ends of each.
fn room() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let files = line.and_then(|line| line.split_whitespace().nth(3)?.parse().ok());
    files.unwrap_or(1024_usize).saturating_sub(200) / 2
}

const ALONE: &str = "VAB_TEST_ALONE";

/// In a process of its own, whose memory is not that of other tests.
#[test]
fn a_thousand_connections_that_say_nothing_harm_nobody() {
    if std::env::var_os(ALONE).is_none() {
        let name = "security::idle::a_thousand_connections_that_say_nothing_harm_nobody";
        let this = std::env::current_exe().unwrap();
        let mut alone = std::process::Command::new(this);
        alone.args(["--exact", name, "--nocapture"]).env(ALONE, "1");
        assert!(alone.status().unwrap().success());
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    runtime.block_on(a_thousand_connections());
}

async fn a_thousand_connections() {
    const WAITING: usize = 64;
    const MIB: u64 = 1 << 20;
    let count = room().min(1000);
    if count < 1000 {
        println!("only {count} of 1000 connections: the limit of open files allows no more");
    }
    let log = Log::start();
    let world = World::new();
    let store = MemoryStore::default();
    let rule = ClientRule::Certificate(world.authority.certificates());
    let mut options = serve_with(&world.server, &rule);
    options.max_unknown = WAITING;
    options.opening_limit = Duration::from_secs(600);
    let server = Server::start(&store, options).await;
    let options = trusting(&world.authority, Some(&world.client), None);
    let good = GoodSession::start(&server, options.clone()).await;

    let closed = || log.text().matches("newer connections came").count();
    let mut measured = vec![memory()];
    for wave in 1..=3 {
        let mut idle = Vec::new();
        for number in 0..count {
            idle.push(TcpStream::connect(server.address).await.unwrap());
            if number % 250 == 249 {
                // Among them, whoever proves at once who he is gets in.
                let source = Source::connect(server.name(), options.clone())
                    .await
                    .unwrap();
                assert_eq!(source.query("alive").await.unwrap(), b"ALIVE");
            }
        }
        let sent_away = wave * (count - WAITING);
        eventually("the oldest are sent away", || closed() >= sent_away).await;
        measured.push(memory());
    }
    assert!(log.has("connection{peer=127.0.0.1:"), "the log names them");
    let measured: Vec<u64> = measured.into_iter().flatten().collect();
    println!("{count} idle connections, both ends, three times: {measured:?} bytes of memory");
    if let [_, first, .., last] = measured[..] {
        let grown = last.saturating_sub(first);
        // The log of this test alone is half a mebibyte.
        assert!(
            grown < 2 * MIB,
            "{grown} bytes more after the first thousand"
        );
    }
    good.end(&store).await;
    server.stop().await;
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_ended() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let log = Log::start();
    let world = World::new();
    let store = MemoryStore::default();
    let rule = ClientRule::Certificate(world.authority.certificates());
    let mut options = serve_with(&world.server, &rule);
    options.opening_limit = Duration::from_millis(50);
    let server = Server::start(&store, options).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&[0x16, 3, 1, 2, 0]).await.unwrap();
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard).await;
    eventually("the log names it", || {
        log.has("it asked for nothing in time")
    })
    .await;
    server.stop().await;
}
