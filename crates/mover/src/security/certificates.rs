use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::Fingerprint;

/// Certificates, in the order of their file.
#[derive(Clone)]
pub struct Certificates(Vec<CertificateDer<'static>>);

/// A certificate, those that lead from it to an authority, and its private key.
#[derive(Clone)]
pub struct OwnCertificate {
    chain: Certificates,
    key: Arc<PrivateKeyDer<'static>>,
}

/// Why a certificate or key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The file cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is longer than any certificate or key.
    #[error("{} has more than {limit} bytes; it is no file of certificates", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The limit.
        limit: u64,
    },
    /// There is no certificate in it.
    #[error("{origin} holds no certificate; a PEM file with `BEGIN CERTIFICATE` is needed")]
    NoCertificate {
        /// The file, or what else it was.
        origin: String,
    },
    /// There is no private key in it.
    #[error(
        "{origin} holds no private key; a PEM file with `BEGIN PRIVATE KEY`, without a password, is needed"
    )]
    NoKey {
        /// The file, or what else it was.
        origin: String,
    },
    /// The PEM text is damaged.
    #[error("{origin} is damaged: {cause}")]
    Damaged {
        /// The file, or what else it was.
        origin: String,
        /// What is wrong.
        cause: String,
    },
    /// The key does not belong to the certificate, or is of an unknown kind.
    #[error("the private key and the certificate cannot be used together: {cause}")]
    Mismatch {
        /// What is wrong.
        cause: String,
    },
    /// A certificate is none of an authority.
    #[error("the certificates of the authorities cannot be used: {cause}")]
    Authority {
        /// What is wrong.
        cause: String,
    },
    /// The name is neither a host name nor an address.
    #[error("`{name}` is no host name and no IP address")]
    Name {
        /// What was given.
        name: String,
    },
}

/// Far more than certificates and keys need.
const LIMIT: u64 = 1024 * 1024;

impl Certificates {
    /// All certificates of a PEM file.
    ///
    /// # Errors
    /// [`CertificateError`] if it cannot be read or holds none.
    pub fn from_file(path: &Path) -> Result<Self, CertificateError> {
        Self::from_pem(&read(path)?, &path.display())
    }

    /// All certificates of a PEM text; `origin` names it in errors.
    ///
    /// # Errors
    /// [`CertificateError`] if it is damaged or holds none.
    pub fn from_pem(text: &[u8], origin: &dyn fmt::Display) -> Result<Self, CertificateError> {
        let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
        let all = all.map_err(|error| damaged(origin, &error))?;
        if all.is_empty() {
            let origin = origin.to_string();
            return Err(CertificateError::NoCertificate { origin });
        }
        Ok(Self(all))
    }

    /// The fingerprint of the first one.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.0.first().map_or(&[][..], AsRef::as_ref))
    }

    /// Those that may sign.
    pub(super) fn roots(&self) -> Result<Arc<rustls::RootCertStore>, CertificateError> {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in &self.0 {
            let added = roots.add(certificate.clone());
            added.map_err(|error| CertificateError::Authority {
                cause: error.to_string(),
            })?;
        }
        Ok(Arc::new(roots))
    }
}

impl OwnCertificate {
    /// From two PEM files, which may be the same.
    ///
    /// # Errors
    /// [`CertificateError`] if one cannot be read or does not hold what it should.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, CertificateError> {
        Ok(Self {
            chain: Certificates::from_file(certificate)?,
            key: private_key(&read(key)?, &key.display())?,
        })
    }

    /// From two PEM texts.
    ///
    /// # Errors
    /// [`CertificateError`] if one is damaged or does not hold what it should.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        Ok(Self {
            chain: Certificates::from_pem(certificate, &"the certificate")?,
            key: private_key(key, &"the key")?,
        })
    }

    /// The fingerprint of the certificate, which a source may pin.
    pub fn fingerprint(&self) -> Fingerprint {
        self.chain.fingerprint()
    }

    pub(super) fn parts(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        (self.chain.0.clone(), self.key.clone_key())
    }
}

/// Keys are read into memory that is overwritten.
fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(16 * 1024));
    File::open(path)
        .and_then(|file| file.take(LIMIT + 1).read_to_end(&mut bytes))
        .map_err(|source| CertificateError::File {
            path: path.to_owned(),
            source,
        })?;
    if bytes.len() as u64 > LIMIT {
        return Err(CertificateError::TooLong {
            path: path.to_owned(),
            limit: LIMIT,
        });
    }
    Ok(bytes)
}

fn private_key(
    text: &[u8],
    origin: &dyn fmt::Display,
) -> Result<Arc<PrivateKeyDer<'static>>, CertificateError> {
    match PrivateKeyDer::from_pem_slice(text) {
        Ok(key) => Ok(Arc::new(key)),
        Err(pem::Error::NoItemsFound) => Err(CertificateError::NoKey {
            origin: origin.to_string(),
        }),
        Err(error) => Err(damaged(origin, &error)),
    }
}

fn damaged(origin: &dyn fmt::Display, error: &pem::Error) -> CertificateError {
    CertificateError::Damaged {
        origin: origin.to_string(),
        cause: error.to_string(),
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(
                self.0
                    .iter()
                    .map(|certificate| Fingerprint::of(certificate)),
            )
            .finish()
    }
}

impl fmt::Debug for OwnCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnCertificate")
            .field("chain", &self.chain)
            .finish_non_exhaustive()
    }
}
