use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use vab_mover::proto::Hello;
use vab_mover::proto::control::Control;
use vab_mover::proto::frame::Frame;
use vab_mover::security::ClientRule;
use vab_mover::source::ConnectError;
use vab_mover::target::TargetOptions;
use vab_mover::{Source, SourceOptions};

use super::good::{GoodSession, World};
use super::papers::{TOKEN, pinning, serve_with, token, trusting};
use crate::support::Log;
use crate::support::{MemoryStore, Server, eventually, quick};

#[tokio::test]
async fn a_plain_source_is_told_that_the_target_wants_tls() {
    let log = Log::start();
    let world = World::new();
    let store = MemoryStore::default();
    let rule = ClientRule::Token(token(TOKEN));
    let server = Server::start(&store, serve_with(&world.server, &rule)).await;
    let good = GoodSession::start(&server, pinning(&world.server, Some(token(TOKEN)))).await;

    let error = Source::connect(server.name(), quick()).await.unwrap_err();
    assert!(matches!(error, ConnectError::WantsTls { .. }), "{error}");
    eventually("the log names it", || log.has("this target wants TLS")).await;

    // A source that does not know that bit is told in the answer to its request.
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let begin = Control::Begin {
        request: b"job".to_vec(),
        streams: 1,
        key: [1; 16],
        retain: 0,
        patience: 0,
        keys: Vec::new(),
    };
    let (begin, _) = Frame::from(begin).encode().unwrap();
    let said = [&Hello::ours().encode()[..], &begin].concat();
    stream.write_all(&said).await.unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    let heard = String::from_utf8_lossy(&heard).into_owned();
    assert!(heard.contains("this target wants TLS"), "{heard}");

    assert_eq!(store.open(), 1, "nothing but the good session");
    good.end(&store).await;
    server.stop().await;
}

#[tokio::test]
async fn a_source_that_asks_for_tls_never_goes_on_without() {
    let log = Log::start();
    let world = World::new();
    let store = MemoryStore::default();
    let server = Server::start(&store, TargetOptions::default()).await;
    let options = trusting(&world.authority, Some(&world.client), Some(token(TOKEN)));
    let error = Source::connect(server.name(), options).await.unwrap_err();
    assert!(matches!(error, ConnectError::NoTls { .. }), "{error}");
    eventually("the log names it", || log.has("began a TLS handshake")).await;
    server.stop().await;
}

#[tokio::test]
async fn a_source_that_asks_for_tls_sends_nothing_in_the_clear() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    // A thief who speaks the plain protocol, and asks for the token.
    let thief = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut hello = Hello::ours();
        hello.features = vab_mover::proto::Features::TOKEN;
        stream.write_all(&hello.encode()).await.unwrap();
        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard).await;
        heard
    });
    let options = pinning(&world.server, Some(token(TOKEN)));
    assert!(Source::connect(address, options).await.is_err());
    let heard = thief.await.unwrap();
    assert_eq!(heard[..2], [0x16, 3], "a handshake and nothing else");
    assert!(!heard.windows(TOKEN.len()).any(|bytes| bytes == TOKEN));
    assert!(!heard.windows(8).any(|bytes| bytes == b"VABMOVER"));
}

#[tokio::test]
async fn a_plain_source_gives_nothing_to_a_target_that_wants_a_token() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut hello = Hello::ours();
        hello.features = vab_mover::proto::Features::TOKEN;
        stream.write_all(&hello.encode()).await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let error = Source::connect(address, SourceOptions::default())
        .await
        .unwrap_err();
    assert!(matches!(error, ConnectError::WantsToken { .. }), "{error}");
}

#[tokio::test]
async fn an_older_tls_is_refused() {
    let world = World::new();
    let store = MemoryStore::default();
    let rule = ClientRule::Token(token(TOKEN));
    let server = Server::start(&store, serve_with(&world.server, &rule)).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // A ClientHello of TLS 1.2 without extensions.
    let mut hello = vec![3, 3];
    hello.extend_from_slice(&[7; 32]);
    hello.extend_from_slice(&[0, 0, 2, 0xc0, 0x2f, 1, 0]);
    let mut message = vec![1, 0, 0, u8::try_from(hello.len()).unwrap()];
    message.extend_from_slice(&hello);
    let mut record = vec![0x16, 3, 1, 0, u8::try_from(message.len()).unwrap()];
    record.extend_from_slice(&message);
    stream.write_all(&record).await.unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    // An alert, fatal.
    assert_eq!((heard[0], heard[5]), (0x15, 2), "{heard:?}");
    server.stop().await;
}
