use vab_mover::security::ClientRule;
use vab_mover::source::ConnectError;
use vab_mover::{RefusalKind, Source};

use super::good::{GoodSession, World};
use super::papers::{TOKEN, pinning, serve_with, token, trusting};
use crate::support::Log;
use crate::support::{MemoryStore, Server, eventually};

const OTHER: &[u8] = b"0123456789abcdef0123456789abcdeF";

#[tokio::test]
async fn a_source_without_the_token_is_refused() {
    let log = Log::start();
    let World {
        authority,
        server: papers,
        ..
    } = World::new();
    let store = MemoryStore::default();
    let rule = ClientRule::Token(token(TOKEN));
    let server = Server::start(&store, serve_with(&papers, &rule)).await;
    let good = GoodSession::start(&server, pinning(&papers, Some(token(TOKEN)))).await;

    let wrong = Source::connect(server.name(), pinning(&papers, Some(token(OTHER)))).await;
    match wrong.unwrap_err() {
        ConnectError::NotLetIn { refusal, .. } => {
            assert_eq!(refusal.kind, RefusalKind::Forbidden);
            assert!(
                refusal
                    .message
                    .contains("give the source the one of the target")
            );
        }
        other => panic!("{other}"),
    }
    eventually("the log names it", || log.has("its token is not the one")).await;

    let none = Source::connect(server.name(), trusting(&authority, None, None)).await;
    assert!(matches!(none.unwrap_err(), ConnectError::WantsToken { .. }));
    eventually("the log names it", || log.has("it has no token")).await;

    assert_eq!(store.open(), 1, "nothing but the good session");
    good.end(&store).await;
    let text = log.text();
    assert!(text.contains("identity=token"), "{text}");
    for secret in [TOKEN, OTHER] {
        assert!(!text.contains(std::str::from_utf8(secret).unwrap()));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_target_that_wants_both_takes_neither_alone() {
    let World {
        authority,
        server: papers,
        client,
    } = World::new();
    let store = MemoryStore::default();
    let rule = ClientRule::CertificateAndToken(authority.certificates(), token(TOKEN));
    let server = Server::start(&store, serve_with(&papers, &rule)).await;
    let connect = |certificate, secret: Option<&[u8]>| {
        let options = trusting(&authority, certificate, secret.map(token));
        Source::connect(server.name(), options)
    };
    assert!(matches!(
        connect(Some(&client), None).await,
        Err(ConnectError::WantsToken { .. })
    ));
    assert!(matches!(
        connect(None, Some(TOKEN)).await,
        Err(ConnectError::Tls { .. })
    ));
    assert!(connect(Some(&client), Some(OTHER)).await.is_err());
    let source = connect(Some(&client), Some(TOKEN)).await.unwrap();
    assert_eq!(source.query("alive").await.unwrap(), b"ALIVE");
    server.stop().await;
}

#[tokio::test]
async fn a_token_is_not_sent_to_a_target_that_does_not_want_it() {
    let World {
        authority,
        server: papers,
        client,
    } = World::new();
    let store = MemoryStore::default();
    let rule = ClientRule::Certificate(authority.certificates());
    let server = Server::start(&store, serve_with(&papers, &rule)).await;
    // Had it been sent, it would have been taken for the first request and refused.
    let options = trusting(&authority, Some(&client), Some(token(TOKEN)));
    let source = Source::connect(server.name(), options).await.unwrap();
    assert_eq!(source.query("alive").await.unwrap(), b"ALIVE");
    server.stop().await;
}
