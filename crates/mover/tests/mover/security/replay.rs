use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use vab_mover::Source;
use vab_mover::proto::Hello;
use vab_mover::proto::control::Control;
use vab_mover::proto::frame::{Frame, FrameHeader};
use vab_mover::security::ClientRule;
use vab_mover::target::TargetOptions;

use super::good::World;
use super::papers::{serve_with, trusting};
use crate::support::Log;
use crate::support::{MemoryStore, Server, eventually, movers, quick};

type Recorded = Arc<Mutex<Vec<Vec<u8>>>>;

/// A way to a target that keeps what sources say, one entry per connection.
async fn recorder(server: &Server) -> (String, Recorded) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (target, recorded) = (server.address, Recorded::default());
    let tape = Arc::clone(&recorded);
    tokio::spawn(async move {
        loop {
            let (near, _) = listener.accept().await.unwrap();
            let far = TcpStream::connect(target).await.unwrap();
            let number = {
                let mut tape = tape.lock().unwrap();
                tape.push(Vec::new());
                tape.len() - 1
            };
            let tape = Arc::clone(&tape);
            tokio::spawn(async move {
                let ((mut near_in, mut near_out), (mut far_in, mut far_out)) =
                    (near.into_split(), far.into_split());
                let back = tokio::io::copy(&mut far_in, &mut near_out);
                let there = async {
                    let mut bytes = [0; 4096];
                    while let Ok(count @ 1..) = near_in.read(&mut bytes).await {
                        tape.lock().unwrap()[number].extend_from_slice(&bytes[..count]);
                        if far_out.write_all(&bytes[..count]).await.is_err() {
                            break;
                        }
                    }
                };
                tokio::select! { _ = back => {}, () = there => {} }
            });
        }
    });
    (address, recorded)
}

/// Says the same bytes again; gives the answer.
async fn replay(server: &Server, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let _ = stream.shutdown().await;
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard).await;
    heard
}

#[tokio::test]
async fn a_recorded_tls_connection_opens_nothing() {
    let log = Log::start();
    let World {
        authority,
        server: papers,
        client,
    } = World::new();
    let store = MemoryStore::default();
    let rule = ClientRule::Certificate(authority.certificates());
    let server = Server::start(&store, serve_with(&papers, &rule)).await;
    let (address, recorded) = recorder(&server).await;
    let source = Source::connect(address, trusting(&authority, Some(&client), None)).await;
    let session = source.unwrap().begin_backup("job", 1).await.unwrap();
    assert_eq!(store.open(), 1);

    let tapes = recorded.lock().unwrap().clone();
    assert_eq!(tapes.len(), 2, "one to look, one for the session");
    for tape in tapes {
        assert!(tape.len() > 500, "a whole handshake and a request");
        replay(&server, &tape).await;
    }
    eventually("the log names it", || log.has("the TLS handshake failed")).await;
    assert_eq!(store.open(), 1, "the one that was there");
    drop(session);
    eventually("the session ends", || store.open() == 0).await;
    server.stop().await;
}

#[tokio::test]
async fn a_recorded_plain_greeting_does_not_attach_to_its_session() {
    let store = MemoryStore::default();
    let server = Server::start(&store, TargetOptions::default()).await;
    let (address, recorded) = recorder(&server).await;
    let source = Source::connect(address, quick()).await.unwrap();
    let session = source.begin_backup("job", 1).await.unwrap();
    let tape = recorded.lock().unwrap()[1].clone();

    let heard = replay(&server, &tape).await;
    let begun = &heard[Hello::LENGTH + FrameHeader::LENGTH..];
    let number = session.session();
    assert!(!begun.windows(16).any(|bytes| bytes == number.as_bytes()));
    assert_eq!(
        store.open(),
        2,
        "it began one of its own, as anybody on loopback may"
    );
    drop(session);
    server.stop().await;
    eventually("both end", || store.open() == 0).await;
    assert_eq!(store.saved().len(), 0);
}

#[tokio::test]
async fn a_session_is_not_taken_up_without_its_key() {
    let (store, server, source) = movers(quick()).await;
    let session = source.begin_backup("job", 1).await.unwrap();
    let resume = Control::Resume {
        session: *session.session().as_bytes(),
        key: [7; 16],
        retain: 0,
        patience: 0,
    };
    let (resume, _) = Frame::from(resume).encode().unwrap();
    let said = [&Hello::ours().encode()[..], &resume].concat();
    let heard = replay(&server, &said).await;
    let heard = String::from_utf8_lossy(&heard).into_owned();
    assert!(heard.contains("no session"), "{heard}");
    assert_eq!(store.open(), 1);
    session.abort("the test is over").await;
    server.stop().await;
}
