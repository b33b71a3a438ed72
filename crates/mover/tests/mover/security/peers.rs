//! Sessions belong to who began them.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use vab_mover::proto::Hello;
use vab_mover::proto::control::Control;
use vab_mover::proto::frame::{Frame, FrameHeader, Limits};
use vab_mover::security::ClientRule;

use super::good::World;
use super::papers::{Papers, Time, serve_with};
use crate::support::{MemoryStore, Server};

/// A TLS connection with good papers, on which anything can be said.
pub(crate) async fn raw(server: &Server, world: &World, papers: &Papers) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(world.authority.0.der().clone()).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(papers.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(papers.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .unwrap();
    let stream = TcpStream::connect(server.address).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.unwrap()
}

/// Says hello and the request; gives the first answer.
async fn ask(stream: &mut TlsStream<TcpStream>, request: Control) -> Control {
    let (request, _) = Frame::from(request).encode().unwrap();
    let said = [&Hello::ours().encode()[..], &request].concat();
    stream.write_all(&said).await.unwrap();
    stream.flush().await.unwrap();
    let mut bytes = [0; Hello::LENGTH];
    stream.read_exact(&mut bytes).await.unwrap();
    let mut header = [0; FrameHeader::LENGTH];
    stream.read_exact(&mut header).await.unwrap();
    let frame = FrameHeader::decode(&header, Limits::CONTROL).unwrap();
    let mut body = vec![0; frame.length as usize];
    stream.read_exact(&mut body).await.unwrap();
    frame.control(&body).unwrap()
}

#[tokio::test]
async fn a_session_is_taken_up_by_who_began_it_only() {
    let world = World::new();
    let other = world.authority.client("another source", Time::Now);
    // The same subject, after the certificate was made anew.
    let renewed = world.authority.client("good source", Time::Now);
    let store = MemoryStore::default();
    let rule = ClientRule::Certificate(world.authority.certificates());
    let server = Server::start(&store, serve_with(&world.server, &rule)).await;

    let key = [9; 16];
    let mut first = raw(&server, &world, &world.client).await;
    let begin = Control::Begin {
        request: b"job".to_vec(),
        streams: 1,
        key,
        retain: 1 << 20,
        patience: 60_000,
        keys: Vec::new(),
    };
    let Control::Begun { session, .. } = ask(&mut first, begin).await else {
        panic!("not begun");
    };
    let resume = |key| Control::Resume {
        session,
        key,
        retain: 1 << 20,
        patience: 60_000,
    };

    let mut thief = raw(&server, &world, &other).await;
    // The store knows the key, and is not asked.
    let answer = ask(&mut thief, resume(key)).await;
    assert!(
        matches!(answer, Control::Refused { kind: 8, .. }),
        "{answer:?}"
    );

    let mut guess = raw(&server, &world, &world.client).await;
    let answer = ask(&mut guess, resume([8; 16])).await;
    assert!(
        matches!(answer, Control::Refused { kind: 8, .. }),
        "{answer:?}"
    );

    let mut back = raw(&server, &world, &renewed).await;
    let answer = ask(&mut back, resume(key)).await;
    assert!(matches!(answer, Control::Resumed { .. }), "{answer:?}");
    drop(back);
    server.stop().await;
}
