//! Who is let in, and who is believed.

use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;

use vab_engine::Cancel;
use vab_engine::mssql::connection::{Connect, ConnectError, Driver};
use vab_engine::mssql::statement::Query;
use vab_engine::mssql::{Address, Encryption, Trust};

use crate::tds::session::{PASSWORD, Session};
use crate::tds::table::{Table, Type};
use crate::tds::token::End;
use crate::tls::Certified;
use crate::{connect, login, plain, serve};

fn hello(session: &mut Session, _: &str) -> std::io::Result<()> {
    let table = Table::new(&[("hello", Type::NVarChar)]).row(vec!["world".into()]);
    session.send(&table.tokens())?;
    session.end(End::Well)
}

fn says_hello(address: Address) {
    let mut connection = connect(address).unwrap();
    let question = Query::new("SELECT hello").statement();
    let rows = connection
        .execute(&question, None, &Cancel::new(), &mut |_| {})
        .unwrap();
    assert_eq!(rows[0].some_text("hello").unwrap(), "world");
}

#[test]
fn a_wrong_password_is_told_with_number_and_advice_and_without_the_password() {
    let server = plain(serve(None, hello));
    let error = Driver::new(server, login("Hunter2"))
        .connect()
        .err()
        .unwrap();
    let ConnectError::Login { error: told, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!((told.number, told.state), (18456, 8));
    let text = format!("{error} {error:?} {:?}", login("Hunter2"));
    assert!(
        text.contains("VAB_MSSQL_PASSWORD") && !text.contains("Hunter2"),
        "{text}"
    );
}

#[test]
fn without_encryption_only_where_that_was_said() {
    says_hello(plain(serve(None, hello)));
    let mut address = plain(serve(None, hello));
    address.encryption = Encryption::Required;
    let error = connect(address).err().unwrap();
    assert!(
        matches!(
            error,
            ConnectError::Tls { .. } | ConnectError::Protocol { .. }
        ),
        "{error}"
    );
}

fn secure(name: &str) -> (tempfile::TempDir, Address) {
    let certified = Certified::new(name);
    let folder = tempfile::tempdir().unwrap();
    let file = certified.write(folder.path());
    let mut address = plain(serve(Some(Arc::new(certified)), hello));
    address.encryption = Encryption::Required;
    address.trust = Trust::File(file);
    (folder, address)
}

#[test]
fn a_trusted_certificate_of_the_right_name_is_believed() {
    let (_folder, mut address) = secure("127.0.0.1");
    says_hello(address.clone());
    address.encryption = Encryption::LoginOnly;
    says_hello(address.clone());
    address.encryption = Encryption::Strict;
    says_hello(address);
}

#[test]
fn a_certificate_that_nobody_signed_is_not_believed() {
    let (_folder, mut address) = secure("127.0.0.1");
    address.trust = Trust::System;
    let error = connect(address.clone()).err().unwrap();
    assert!(matches!(error, ConnectError::Tls { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("trust=FILE") && !text.contains("Config::"),
        "{text}"
    );
    address.trust = Trust::Any;
    says_hello(address);
}

#[test]
fn a_certificate_of_another_name_is_not_believed_unless_that_name_is_given() {
    let (_folder, mut address) = secure("db1.example.com");
    for encryption in [Encryption::Required, Encryption::Strict] {
        address.encryption = encryption;
        let error = connect(address.clone()).err().unwrap();
        assert!(!matches!(error, ConnectError::Login { .. }), "{error}");
    }
    address.certificate_name = Some("db1.example.com".to_owned());
    says_hello(address);
}

#[test]
fn a_trusted_file_that_is_none_is_named() {
    let (folder, mut address) = secure("127.0.0.1");
    address.trust = Trust::File(folder.path().join("missing.pem"));
    let error = connect(address).err().unwrap().to_string();
    assert!(error.contains("missing.pem"), "{error}");
}

#[test]
fn nobody_there_and_somebody_else_there_are_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = plain(listener.local_addr().unwrap());
    let other = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream
            .write_all(b"220 mail.example.com ESMTP ready\r\n")
            .unwrap();
    });
    let error = connect(address.clone()).err().unwrap();
    assert!(matches!(error, ConnectError::Protocol { .. }), "{error}");
    other.join().unwrap();
    let error = connect(address).err().unwrap();
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error}");
    assert!(!PASSWORD.is_empty() && !error.to_string().contains(PASSWORD));
}
