use vab_mover::Source;
use vab_mover::security::{CertificateProblem, ClientRule, ClientTls, TlsProblem, Trust};
use vab_mover::source::ConnectError;
use vab_mover::target::TargetOptions;

use super::good::{GoodSession, World};
use super::papers::{Authority, Time, connect_with, pinning, self_signed, serve_with, trusting};
use crate::support::Log;
use crate::support::{MemoryStore, Server, eventually};

fn problem(error: ConnectError) -> TlsProblem {
    match error {
        ConnectError::Tls { source, .. } => source,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn sources_without_a_good_certificate_are_refused() {
    let log = Log::start();
    let World {
        authority,
        server: papers,
        client,
    } = World::new();
    // Foreign authorities, one of the same name.
    let foreign = Authority::new("others");
    let namesake = Authority::new("backups");
    let store = MemoryStore::default();
    let rule = ClientRule::Certificate(authority.certificates());
    let server = Server::start(&store, serve_with(&papers, &rule)).await;
    let good = GoodSession::start(&server, trusting(&authority, Some(&client), None)).await;

    let strangers = [
        (
            authority.client("a", Time::Over),
            "it has ended",
            "it ended",
        ),
        (
            authority.client("b", Time::ToCome),
            "is not valid yet",
            "not valid yet",
        ),
        (
            foreign.client("good source", Time::Now),
            "none of the authorities",
            "trusted authorities signed it",
        ),
        (
            namesake.client("good source", Time::Now),
            "does not have the signature",
            "whose signature it does not have",
        ),
        (
            self_signed("d"),
            "none of the authorities",
            "trusted authorities signed it",
        ),
        // One for a server.
        (
            authority.server(&["127.0.0.1"], Time::Now),
            "of the wrong kind",
            "not made for this purpose",
        ),
    ];
    for (number, (papers, told, logged)) in strangers.iter().enumerate() {
        let options = trusting(&authority, Some(papers), None);
        let error = Source::connect(server.name(), options).await.unwrap_err();
        let TlsProblem::NotAccepted { why } = problem(error) else {
            panic!("stranger {number}");
        };
        assert!(why.contains(told), "stranger {number}: {why}");
        eventually("the log names it", || log.has(logged)).await;
    }
    let error = Source::connect(server.name(), trusting(&authority, None, None)).await;
    assert_eq!(problem(error.unwrap_err()), TlsProblem::CertificateWanted);
    eventually("the log names it", || log.has("it showed none")).await;

    assert_eq!(store.open(), 1, "nothing but the good session");
    good.end(&store).await;
    assert!(
        log.has("identity=certificate CN=good source"),
        "{}",
        log.text()
    );
    server.stop().await;
}

#[tokio::test]
async fn targets_without_a_good_certificate_are_refused() {
    let authority = Authority::new("backups");
    let foreign = Authority::new("others");
    let namesake = Authority::new("backups");
    let client = authority.client("source", Time::Now);
    let rule = ClientRule::Certificate(authority.certificates());
    let targets = [
        (authority.server(&["127.0.0.1"], Time::Over), "Expired"),
        (
            authority.server(&["127.0.0.1"], Time::ToCome),
            "NotYetValid",
        ),
        (
            foreign.server(&["127.0.0.1"], Time::Now),
            "UnknownAuthority",
        ),
        (namesake.server(&["127.0.0.1"], Time::Now), "Signature"),
        (self_signed("target"), "UnknownAuthority"),
        (authority.server(&["other.example"], Time::Now), "WrongName"),
        (authority.client("no target", Time::Now), "Purpose"),
    ];
    for (papers, expected) in &targets {
        let store = MemoryStore::default();
        let server = Server::start(&store, serve_with(papers, &rule)).await;
        let options = trusting(&authority, Some(&client), None);
        let error = Source::connect(server.name(), options).await.unwrap_err();
        let words = error.to_string();
        let TlsProblem::Certificate(problem) = problem(error) else {
            panic!("{expected}: {words}");
        };
        assert!(format!("{problem:?}").starts_with(expected), "{problem:?}");
        assert!(words.contains(&server.name()), "{words}");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_wrong_name_is_told_with_the_right_ones() {
    let authority = Authority::new("backups");
    let papers = authority.server(&["vault.example"], Time::Now);
    let client = authority.client("source", Time::Now);
    let rule = ClientRule::Certificate(authority.certificates());
    let store = MemoryStore::default();
    let server = Server::start(&store, serve_with(&papers, &rule)).await;
    let options = trusting(&authority, Some(&client), None);
    let error = Source::connect(server.name(), options)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("127.0.0.1") && error.contains("vault.example"),
        "{error}"
    );

    let trust = Trust::Authorities(authority.certificates());
    let tls = ClientTls::new(&trust, Some(&client.own()), None).unwrap();
    let named = connect_with(tls.with_server_name("vault.example").unwrap());
    Source::connect(server.name(), named).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn another_fingerprint_than_the_pinned_one_is_refused() {
    let World {
        authority,
        server: papers,
        ..
    } = World::new();
    let other = authority.server(&["127.0.0.1"], Time::Now);
    let rule = ClientRule::Certificate(authority.certificates());
    let store = MemoryStore::default();
    let server = Server::start(&store, serve_with(&papers, &rule)).await;
    let error = Source::connect(server.name(), pinning(&other, None)).await;
    let expected = CertificateProblem::OtherFingerprint {
        expected: other.own().fingerprint(),
        got: papers.own().fingerprint(),
    };
    assert_eq!(
        problem(error.unwrap_err()),
        TlsProblem::Certificate(expected)
    );
    server.stop().await;
}

#[tokio::test]
async fn a_pinned_certificate_without_its_key_is_worth_nothing() {
    // A relay that shows the real certificate cannot sign for it: what it gets through is the
    // real handshake, and a certificate with another key does not even load.
    let World { server: papers, .. } = World::new();
    let thief = self_signed("thief");
    let own = vab_mover::security::OwnCertificate::from_pem(
        papers.certificate.as_bytes(),
        thief.key.as_bytes(),
    )
    .unwrap();
    let rule = ClientRule::Token(super::papers::token(super::papers::TOKEN));
    let error = vab_mover::security::ServerTls::new(&own, &rule).unwrap_err();
    assert!(
        error.to_string().contains("cannot be used together"),
        "{error}"
    );
}

#[tokio::test]
async fn a_listener_for_tls_is_not_served_without() {
    use vab_mover::target::{self, BindError, Exposure, ServeError};
    let listener = target::bind("127.0.0.1:0", Exposure::Encrypted)
        .await
        .unwrap();
    let options = TargetOptions {
        exposure: Exposure::Encrypted,
        ..TargetOptions::default()
    };
    let store = std::sync::Arc::new(MemoryStore::default());
    let error = target::serve(listener, store, options, std::future::ready(())).await;
    assert!(matches!(
        error,
        Err(ServeError::Bind(BindError::NotEncrypted { .. }))
    ));
}
