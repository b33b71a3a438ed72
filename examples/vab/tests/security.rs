//! TLS, tokens and limits from the command line.
#![cfg(feature = "tls")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and the lints know only test functions"
)]

mod common;

use std::path::{Path, PathBuf};

use common::{JOB, Server, empty_repository, run, vab};
use vab_manager::engine::RecoveryModel;
use vab_manager::engine::sim::{Instance, Options};
use vab_manager::{Clock, ServerTime, SystemClock};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn engine(folder: &Path) -> String {
    let now = || ServerTime::from_micros(SystemClock.now().as_micros());
    let instance = Instance::open_or_create(folder, Options::new(now).utc_offset(0)).unwrap();
    let database = instance.create_database("Sales", RecoveryModel::Full);
    database.unwrap().put(1, b"first order").unwrap();
    format!("sim:{}", folder.display())
}

/// `vab certificate new`, and the options that it tells of.
struct Certificates(PathBuf);

impl Certificates {
    fn new(folder: &Path) -> Self {
        let folder = folder.join("tls");
        run(["certificate", "new", folder.to_str().unwrap()]).success();
        Self(folder)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn server(&self) -> Vec<String> {
        let (certificate, key) = (self.file("server.pem"), self.file("server-key.pem"));
        ["--tls-cert", &certificate, "--tls-key", &key]
            .map(str::to_owned)
            .into()
    }

    fn client(&self) -> Vec<String> {
        let (certificate, key) = (self.file("client.pem"), self.file("client-key.pem"));
        let authority = self.file("ca.pem");
        [
            "--tls-ca",
            &authority,
            "--tls-cert",
            &certificate,
            "--tls-key",
            &key,
        ]
        .map(str::to_owned)
        .into()
    }
}

fn with<'a>(first: &[&'a str], more: &'a [String]) -> Vec<&'a str> {
    first
        .iter()
        .copied()
        .chain(more.iter().map(String::as_str))
        .collect()
}

#[test]
fn mutual_tls_takes_three_commands() {
    let (folder, repository) = empty_repository();
    let certificates = Certificates::new(folder.path());
    let engine = engine(&folder.path().join("engine"));
    let mut serve = certificates.server();
    serve.extend(["--client-ca".to_owned(), certificates.file("ca.pem")]);
    serve.extend(["--slots", "3", "--limit", "500MiB/s"].map(str::to_owned));
    let server = Server::start_with(&repository, "127.0.0.1:0", &serve);
    let address = server.address.as_str();
    let client = certificates.client();

    let backup = [
        "backup",
        "--server",
        address,
        "--job",
        JOB,
        "--engine",
        &engine,
        "--database",
        "Sales",
        "--type",
        "full",
        "--streams",
        "4",
        "--limit",
        "500MiB/s",
    ];
    run(with(&backup, &client)).success();
    let listed = run(with(&["list", "--json", "--server", address], &client)).success();
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed[0]["database"], "Sales");
    assert_eq!(listed[0]["streams"], 3, "as many as the server has slots");
    let to = format!("sim:{}", folder.path().join("other").display());
    let restore = [
        "restore",
        "--server",
        address,
        "--database",
        "Sales",
        "--engine",
        &to,
    ];
    run(with(&restore, &client)).success();

    let plain = run(["list", "--server", address]).failure(1);
    assert!(
        plain.contains("wants TLS") && plain.contains("--tls-ca"),
        "{plain}"
    );
    let stranger = run(with(&["list", "--server", address], &client[..2])).failure(1);
    assert!(stranger.contains("asks for a certificate"), "{stranger}");
}

#[test]
fn a_token_and_a_fingerprint_do_as_well() {
    let (folder, repository) = empty_repository();
    let certificates = Certificates::new(folder.path());
    let token = folder.path().join("token");
    std::fs::write(&token, format!("{TOKEN}\n")).unwrap();
    let token = token.to_str().unwrap();
    let mut serve = certificates.server();
    serve.extend(["--token-file", token].map(str::to_owned));
    let server = Server::start_with(&repository, "127.0.0.1:0", &serve);
    let own = certificates.file("server.pem");
    let fingerprint = vab_manager::security::Certificates::from_file(Path::new(&own));
    let fingerprint = fingerprint.unwrap().fingerprint().to_string();
    let list = [
        "list",
        "--server",
        &server.address,
        "--tls-fingerprint",
        &fingerprint,
    ];

    run(list.into_iter().chain(["--token-file", token])).success();
    let asked = vab(list).env("VAB_TOKEN", TOKEN).output().unwrap();
    assert!(asked.status.success(), "{asked:?}");
    let without = run(list).failure(1);
    assert!(without.contains("VAB_TOKEN"), "{without}");
    let wrong = vab(list)
        .env("VAB_TOKEN", TOKEN.to_uppercase())
        .output()
        .unwrap();
    let wrong = String::from_utf8(wrong.stderr).unwrap();
    assert!(wrong.contains("not the one of this target"), "{wrong}");
    assert!(!wrong.contains(&TOKEN.to_uppercase()), "{wrong}");
}

#[test]
fn what_would_let_everybody_in_is_refused() {
    let (folder, repository) = empty_repository();
    let certificates = Certificates::new(folder.path());
    let repository = repository.to_str().unwrap();
    let serve = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--repository",
        repository,
    ];
    let everybody = run(with(&serve, &certificates.server())).failure(1);
    assert!(everybody.contains("say who may come in"), "{everybody}");
    // A token on the command line could be read by every user of the machine.
    run(["list", "--server", "127.0.0.1:1", "--token", TOKEN]).failure(2);
    // And in the clear by everybody on the way.
    let token = folder.path().join("token");
    std::fs::write(&token, TOKEN).unwrap();
    let token = token.to_str().unwrap();
    let clear = run(["list", "--server", "127.0.0.1:1", "--token-file", token]).failure(1);
    assert!(clear.contains("--tls-ca"), "{clear}");
}
