//! Other programs, other versions and ill-meant bytes at either end.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use vab_mover::proto::control::Control;
use vab_mover::proto::frame::{Frame, FrameHeader, FrameKind};
use vab_mover::proto::{Features, Hello};
use vab_mover::target::TargetOptions;
use vab_mover::{Source, SourceOptions};

use crate::support::{MemoryStore, Server, quick};

async fn say(server: &Server, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // The target may close at any of these bytes.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut heard = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut heard))
        .await
        .expect("the target must close the connection");
    heard
}

fn bytes_of(control: Control) -> Vec<u8> {
    Frame::from(control).encode().unwrap().0
}

fn hello_and(rest: &[u8]) -> Vec<u8> {
    [&Hello::ours().encode(), rest].concat()
}

/// What a target may hear instead of what it should.
pub(crate) fn attacks() -> Vec<Vec<u8>> {
    let control = |length| {
        FrameHeader {
            kind: FrameKind::Control,
            length,
            crc: 0,
        }
        .encode()
    };
    let block = |length| {
        FrameHeader {
            kind: FrameKind::Block,
            length,
            crc: 0,
        }
        .encode()
    };
    let begin = Control::Begin {
        request: b"job".to_vec(),
        streams: 1,
        key: [1; 16],
        retain: 0,
        patience: 0,
        keys: Vec::new(),
    };
    vec![
        Vec::new(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0xff; 100_000],
        Hello::ours().encode()[..17].to_vec(),
        hello_and(&[]),
        hello_and(&[0xff; 5000]),
        hello_and(&control(u32::MAX)),
        hello_and(&block(u32::MAX)),
        hello_and(&block(100)),
        hello_and(&bytes_of(begin.clone())[..30]),
        hello_and(&bytes_of(Control::Close)),
        hello_and(&[bytes_of(begin.clone()), vec![7; 1000]].concat()),
        hello_and(&[bytes_of(begin.clone()), block(u32::MAX).to_vec()].concat()),
        hello_and(&[bytes_of(begin.clone()), block(4_000_000).to_vec()].concat()),
        hello_and(
            &[
                bytes_of(begin),
                bytes_of(Control::Commit { facts: Vec::new() }),
            ]
            .concat(),
        ),
        hello_and(&bytes_of(Control::Begin {
            request: vec![0; 70_000],
            streams: 9999,
            key: [1; 16],
            retain: u64::MAX,
            patience: u64::MAX,
            keys: vec![7; 2000],
        })),
        hello_and(&bytes_of(Control::Resume {
            session: [1; 16],
            key: [2; 16],
            retain: 0,
            patience: 0,
        })),
    ]
}

#[tokio::test]
async fn hostile_bytes_end_their_connection_only() {
    let store = MemoryStore::default();
    let server = Server::start(&store, TargetOptions::default()).await;
    for (number, attack) in attacks().iter().enumerate() {
        say(&server, attack).await;
        let source = Source::connect(server.name(), quick()).await.unwrap();
        assert_eq!(
            source.query("alive").await.unwrap(),
            b"ALIVE",
            "after attack {number}"
        );
    }
    crate::support::eventually("nothing is left", || store.open() == 0).await;
    assert_eq!(store.saved().len(), 0);
    server.stop().await;
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let store = MemoryStore::default();
    let options = TargetOptions {
        opening_limit: Duration::from_millis(50),
        ..TargetOptions::default()
    };
    let server = Server::start(&store, options).await;
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    let mut greeted = TcpStream::connect(server.address).await.unwrap();
    greeted.write_all(&Hello::ours().encode()).await.unwrap();
    let (mut one, mut two) = (Vec::new(), Vec::new());
    let (one_end, two_end) =
        tokio::join!(idle.read_to_end(&mut one), greeted.read_to_end(&mut two));
    assert_eq!(
        (one_end.unwrap(), two_end.unwrap()),
        (Hello::LENGTH, Hello::LENGTH)
    );
    server.stop().await;
}

#[tokio::test]
async fn too_many_connections_are_closed_and_the_rest_goes_on() {
    let store = MemoryStore::default();
    let options = TargetOptions {
        max_connections: 3,
        ..TargetOptions::default()
    };
    let server = Server::start(&store, options).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let mut hello = [0; Hello::LENGTH];
        stream.read_exact(&mut hello).await.unwrap();
        held.push(stream);
    }
    let error = Source::connect(server.name(), quick()).await.unwrap_err();
    assert!(
        error.to_string().contains("too many connections"),
        "{error}"
    );
    drop(held);
    for _ in 0..1000 {
        if Source::connect(server.name(), quick()).await.is_ok() {
            server.stop().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the places were never given back");
}

/// A server that says these bytes to whoever connects.
async fn server_that_says(bytes: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let bytes = bytes.clone();
            tokio::spawn(async move {
                let _ = stream.write_all(&bytes).await;
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest).await;
            });
        }
    });
    address
}

#[tokio::test]
async fn another_version_is_refused_with_both_named() {
    let hello = Hello {
        oldest: 8,
        newest: 9,
        features: Features::NONE,
        ..Hello::ours()
    };
    let address = server_that_says(hello.encode().to_vec()).await;
    let error = Source::connect(address, quick())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("speaks 1 to 1") && error.contains("8 to 9"),
        "{error}"
    );
}

#[tokio::test]
async fn a_target_says_its_version_to_a_source_of_another() {
    let store = MemoryStore::default();
    let server = Server::start(&store, TargetOptions::default()).await;
    let hello = Hello {
        oldest: 8,
        newest: 9,
        features: Features::NONE,
        ..Hello::ours()
    };
    let heard = say(&server, &hello.encode()).await;
    assert_eq!(heard, Hello::ours().encode());
    server.stop().await;
}

#[tokio::test]
async fn another_program_is_named() {
    let address = server_that_says(b"SSH-2.0-OpenSSH_9.2p1\r\n".to_vec()).await;
    let error = Source::connect(address, quick())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("no data mover") && error.contains("SSH-2.0-"),
        "{error}"
    );
}

#[tokio::test]
async fn a_program_that_keeps_silent_is_given_up() {
    let address = server_that_says(Vec::new()).await;
    let options = SourceOptions {
        connect_limit: Duration::from_millis(50),
        ..SourceOptions::default()
    };
    let error = Source::connect(address, options)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("did not answer"), "{error}");
}

#[tokio::test]
async fn a_target_that_breaks_the_protocol_fails_the_backup() {
    let mut bytes = hello_and(&[]);
    bytes.extend_from_slice(&bytes_of(Control::Committed {
        receipt: b"trust me".to_vec(),
    }));
    let address = server_that_says(bytes).await;
    let source = Source::connect(address, quick()).await.unwrap();
    let error = source.begin_backup("job", 1).await.unwrap_err().to_string();
    assert!(error.contains("does not keep to the protocol"), "{error}");
}
