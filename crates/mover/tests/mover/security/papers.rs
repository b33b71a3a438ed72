//! Authorities and certificates, good and bad.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use vab_mover::security::{
    Certificates, ClientRule, ClientTls, OwnCertificate, ServerTls, Token, Trust,
};
use vab_mover::{SourceOptions, source, target};

use crate::support::quick;

pub(crate) const TOKEN: &[u8] = b"0123456789abcdef0123456789abcdef";

/// An authority that signs whatever a test needs.
pub(crate) struct Authority(pub(crate) CertifiedIssuer<'static, KeyPair>);

#[derive(Clone, Copy)]
pub(crate) enum Time {
    Now,
    Over,
    ToCome,
}

fn set(params: &mut CertificateParams, name: &str, time: Time) {
    params.distinguished_name.push(DnType::CommonName, name);
    let (from, to) = match time {
        Time::Now => (2000, 2999),
        Time::Over => (2000, 2001),
        Time::ToCome => (2998, 2999),
    };
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(to, 1, 1);
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        set(&mut params, name, Time::Now);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn certificates(&self) -> Certificates {
        Certificates::from_pem(self.0.pem().as_bytes(), &"the authority").unwrap()
    }

    fn issue(
        &self,
        name: &str,
        hosts: &[&str],
        usage: ExtendedKeyUsagePurpose,
        time: Time,
    ) -> Papers {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        set(&mut params, name, time);
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        papers(&certificate, &key)
    }

    pub(crate) fn server(&self, hosts: &[&str], time: Time) -> Papers {
        self.issue("target", hosts, ExtendedKeyUsagePurpose::ServerAuth, time)
    }

    pub(crate) fn client(&self, name: &str, time: Time) -> Papers {
        self.issue(name, &[], ExtendedKeyUsagePurpose::ClientAuth, time)
    }
}

/// A certificate and its key as they lie in files.
pub(crate) struct Papers {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Papers {
    pub(crate) fn own(&self) -> OwnCertificate {
        OwnCertificate::from_pem(self.certificate.as_bytes(), self.key.as_bytes()).unwrap()
    }
}

fn papers(certificate: &rcgen::Certificate, key: &KeyPair) -> Papers {
    Papers {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    }
}

pub(crate) fn self_signed(name: &str) -> Papers {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    set(&mut params, name, Time::Now);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    papers(&certificate, &key)
}

pub(crate) fn token(bytes: &[u8]) -> Token {
    Token::new(bytes).unwrap()
}

pub(crate) fn serve_with(certificate: &Papers, clients: &ClientRule) -> target::TargetOptions {
    target::TargetOptions {
        security: target::Security::Tls(ServerTls::new(&certificate.own(), clients).unwrap()),
        ..target::TargetOptions::default()
    }
}

pub(crate) fn connect_with(tls: ClientTls) -> SourceOptions {
    SourceOptions {
        security: source::Security::Tls(tls),
        ..quick()
    }
}

/// A source that trusts this authority.
pub(crate) fn trusting(
    authority: &Authority,
    certificate: Option<&Papers>,
    token: Option<Token>,
) -> SourceOptions {
    let trust = Trust::Authorities(authority.certificates());
    let own = certificate.map(Papers::own);
    connect_with(ClientTls::new(&trust, own.as_ref(), token).unwrap())
}

/// A source that trusts exactly this target.
pub(crate) fn pinning(server: &Papers, token: Option<Token>) -> SourceOptions {
    let trust = Trust::Fingerprint(server.own().fingerprint());
    connect_with(ClientTls::new(&trust, None, token).unwrap())
}
