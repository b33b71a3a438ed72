//! Certificates for a backup manager and its sources, for those who have no authority yet.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};
use vab_chain::UtcTime;
use vab_mover::security::{CertificateError, Certificates, Fingerprint, is_server_name};

/// What to make.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewCertificates {
    /// Names and addresses under which sources reach the server, beside those of loopback.
    pub names: Vec<String>,
    /// Days until the certificates of server and source end; the authority has ten years.
    /// Default 825.
    pub days: u16,
}

impl Default for NewCertificates {
    fn default() -> Self {
        Self {
            names: Vec::new(),
            days: 825,
        }
    }
}

/// The files that were made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MadeCertificates {
    /// The authority's certificate: both sides trust it.
    pub authority: PathBuf,
    /// The authority's key: whoever has it can make certificates that are let in.
    pub authority_key: PathBuf,
    /// The server's certificate.
    pub server: PathBuf,
    /// The server's key.
    pub server_key: PathBuf,
    /// The sources' certificate.
    pub client: PathBuf,
    /// The sources' key.
    pub client_key: PathBuf,
    /// The fingerprint of the server's certificate.
    pub fingerprint: Fingerprint,
}

/// Why no certificates were made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NewCertificatesError {
    /// One of the files is there already.
    #[error("{} is there already, and is not replaced; choose another folder", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The files cannot be written.
    #[error("{} cannot be written", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A name is none.
    #[error("`{name}` is no host name and no IP address")]
    Name {
        /// What was given.
        name: String,
    },
    /// They could not be made.
    #[error("the certificates cannot be made: {cause}")]
    Failed {
        /// What is wrong.
        cause: String,
    },
}

impl NewCertificates {
    /// Makes a new authority, and a certificate for each side, in `folder`, which is made if it
    /// is missing. Keys can be read by the owner of the files only, where the system knows owners.
    ///
    /// # Errors
    /// [`NewCertificatesError`]; a file that was there is never replaced.
    pub fn make(
        &self,
        folder: &Path,
        now: UtcTime,
    ) -> Result<MadeCertificates, NewCertificatesError> {
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".into(), "::1".into()];
        for name in &self.names {
            if !is_server_name(name) {
                return Err(NewCertificatesError::Name { name: name.clone() });
            }
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        let now = seconds(now)?;
        let authority = authority(now)?;
        let server = Leaf::new("vab server", names, ExtendedKeyUsagePurpose::ServerAuth);
        let client = Leaf::new(
            "vab source",
            Vec::new(),
            ExtendedKeyUsagePurpose::ClientAuth,
        );
        let (server, server_key) = server.signed(&authority, now, self.days)?;
        let (client, client_key) = client.signed(&authority, now, self.days)?;

        let at = |name: &str| folder.join(name);
        let made = MadeCertificates {
            authority: at("ca.pem"),
            authority_key: at("ca-key.pem"),
            server: at("server.pem"),
            server_key: at("server-key.pem"),
            client: at("client.pem"),
            client_key: at("client-key.pem"),
            fingerprint: fingerprint(&server)?,
        };
        let files = [
            (&made.authority, authority.pem(), Kind::Public),
            (
                &made.authority_key,
                authority.key().serialize_pem(),
                Kind::Secret,
            ),
            (&made.server, server, Kind::Public),
            (&made.server_key, server_key, Kind::Secret),
            (&made.client, client, Kind::Public),
            (&made.client_key, client_key, Kind::Secret),
        ];
        fs::create_dir_all(folder).map_err(|source| NewCertificatesError::Io {
            path: folder.to_owned(),
            source,
        })?;
        // All or none, as far as can be seen before.
        if let Some((path, _, _)) = files.iter().find(|(path, _, _)| path.exists()) {
            return Err(NewCertificatesError::Exists {
                path: (*path).clone(),
            });
        }
        for (path, text, kind) in files {
            write(path, &text, kind)?;
        }
        Ok(made)
    }
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(now: OffsetDateTime) -> Result<Authority, NewCertificatesError> {
    let mut params = CertificateParams::default();
    let name = format!("vab authority {}", now.date());
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    valid(&mut params, now, 3650);
    let key = KeyPair::generate().map_err(failed)?;
    CertifiedIssuer::self_signed(params, key).map_err(failed)
}

struct Leaf {
    name: &'static str,
    hosts: Vec<String>,
    usage: ExtendedKeyUsagePurpose,
}

impl Leaf {
    const fn new(name: &'static str, hosts: Vec<String>, usage: ExtendedKeyUsagePurpose) -> Self {
        Self { name, hosts, usage }
    }

    /// The certificate and its key, as PEM.
    fn signed(
        self,
        authority: &Authority,
        now: OffsetDateTime,
        days: u16,
    ) -> Result<(String, String), NewCertificatesError> {
        let mut params = CertificateParams::new(self.hosts).map_err(failed)?;
        params
            .distinguished_name
            .push(DnType::CommonName, self.name);
        params.extended_key_usages = vec![self.usage];
        params.use_authority_key_identifier_extension = true;
        valid(&mut params, now, days);
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, authority).map_err(failed)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }
}

/// From a day ago, so that clocks may differ.
fn valid(params: &mut CertificateParams, now: OffsetDateTime, days: u16) {
    params.not_before = now.saturating_sub(Duration::days(1));
    params.not_after = now.saturating_add(Duration::days(days.into()));
}

fn seconds(now: UtcTime) -> Result<OffsetDateTime, NewCertificatesError> {
    let seconds = now.as_micros().div_euclid(1_000_000);
    OffsetDateTime::from_unix_timestamp(seconds).map_err(|error| NewCertificatesError::Failed {
        cause: error.to_string(),
    })
}

fn fingerprint(certificate: &str) -> Result<Fingerprint, NewCertificatesError> {
    Certificates::from_pem(certificate.as_bytes(), &"the new certificate")
        .map(|certificates| certificates.fingerprint())
        .map_err(|error: CertificateError| NewCertificatesError::Failed {
            cause: error.to_string(),
        })
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that `map_err` wants"
)]
fn failed(error: rcgen::Error) -> NewCertificatesError {
    NewCertificatesError::Failed {
        cause: error.to_string(),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Public,
    Secret,
}

fn write(path: &Path, text: &str, kind: Kind) -> Result<(), NewCertificatesError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if kind == Kind::Secret {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    #[cfg(not(unix))]
    let _ = kind == Kind::Secret;
    options
        .open(path)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => NewCertificatesError::Exists {
                path: path.to_owned(),
            },
            _ => NewCertificatesError::Io {
                path: path.to_owned(),
                source,
            },
        })
}

#[cfg(test)]
mod tests {
    use vab_mover::security::{ClientRule, ClientTls, OwnCertificate, ServerTls, Trust};

    use super::*;
    use crate::Clock;

    fn now() -> UtcTime {
        crate::SystemClock.now()
    }

    #[test]
    fn what_is_made_can_be_used() {
        let folder = tempfile::tempdir().unwrap();
        let new = NewCertificates {
            names: vec!["backup.example".into(), "10.0.0.7".into()],
            ..NewCertificates::default()
        };
        let made = new.make(&folder.path().join("tls"), now()).unwrap();
        let authority = Certificates::from_file(&made.authority).unwrap();
        let server = OwnCertificate::from_files(&made.server, &made.server_key).unwrap();
        assert_eq!(server.fingerprint(), made.fingerprint);
        ServerTls::new(&server, &ClientRule::Certificate(authority.clone())).unwrap();
        let client = OwnCertificate::from_files(&made.client, &made.client_key).unwrap();
        ClientTls::new(&Trust::Authorities(authority), Some(&client), None).unwrap();
    }

    #[test]
    fn nothing_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let made = NewCertificates::default()
            .make(folder.path(), now())
            .unwrap();
        let before = fs::read(&made.server_key).unwrap();
        let error = NewCertificates::default().make(folder.path(), now());
        assert!(matches!(error, Err(NewCertificatesError::Exists { .. })));
        assert_eq!(fs::read(&made.server_key).unwrap(), before);
    }

    #[cfg(unix)]
    #[test]
    fn keys_are_for_their_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let made = NewCertificates::default()
            .make(folder.path(), now())
            .unwrap();
        for key in [&made.authority_key, &made.server_key, &made.client_key] {
            let permissions = fs::metadata(key).unwrap().permissions();
            assert_eq!(permissions.mode() & 0o077, 0, "{}", key.display());
        }
    }

    #[test]
    fn a_name_that_is_none_is_refused() {
        let new = NewCertificates {
            names: vec!["no name".into()],
            ..NewCertificates::default()
        };
        let folder = tempfile::tempdir().unwrap();
        let error = new.make(folder.path(), now()).unwrap_err();
        assert!(
            matches!(error, NewCertificatesError::Name { .. }),
            "{error}"
        );
    }
}
