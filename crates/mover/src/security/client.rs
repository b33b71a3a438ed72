use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, PeerMisbehaved, SignatureScheme};

use super::certificates::{CertificateError, Certificates, OwnCertificate};
use super::{Fingerprint, PROTOCOL, Token, provider};

/// What a source takes for proof that it talks to the right target.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Trust {
    /// The target's certificate is signed by one of these authorities, valid at this time, and
    /// made for the name or address that was dialed.
    Authorities(Certificates),
    /// The target's certificate is exactly this one, whatever its names and dates.
    Fingerprint(Fingerprint),
}

/// TLS of a source: whom it trusts, and how it proves who it is.
#[derive(Clone)]
pub struct ClientTls {
    pub(crate) config: Arc<ClientConfig>,
    name: Option<ServerName<'static>>,
    pub(crate) token: Option<Token>,
}

impl ClientTls {
    /// Trusts the target that `trust` says. `certificate` and `token` are shown to a target that
    /// asks for them; a target asks for at least one.
    ///
    /// # Errors
    /// [`CertificateError`] if the certificates cannot be used.
    pub fn new(
        trust: &Trust,
        certificate: Option<&OwnCertificate>,
        token: Option<Token>,
    ) -> Result<Self, CertificateError> {
        let provider = provider();
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| CertificateError::Mismatch {
                cause: error.to_string(),
            })?;
        let builder =
            match trust {
                Trust::Authorities(authorities) => {
                    let roots = authorities.roots()?;
                    let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider)
                        .build()
                        .map_err(|error| CertificateError::Authority {
                            cause: error.to_string(),
                        })?;
                    builder.with_webpki_verifier(verifier)
                }
                Trust::Fingerprint(expected) => builder
                    .dangerous()
                    .with_custom_certificate_verifier(Arc::new(Pinned {
                        expected: *expected,
                        provider,
                    })),
            };
        let mut config = match certificate {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let (chain, key) = own.parts();
                builder.with_client_auth_cert(chain, key).map_err(|error| {
                    CertificateError::Mismatch {
                        cause: error.to_string(),
                    }
                })?
            }
        };
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        // Every connection proves everything anew.
        config.resumption = Resumption::disabled();
        Ok(Self {
            config: Arc::new(config),
            name: None,
            token,
        })
    }

    /// Expects this name in the target's certificate instead of the one that is dialed.
    ///
    /// # Errors
    /// [`CertificateError::Name`] if it is no name.
    pub fn with_server_name(mut self, name: &str) -> Result<Self, CertificateError> {
        self.name = Some(server_name(name)?);
        Ok(self)
    }

    /// The name that the certificate of the target at `address` (`host:port`) must have.
    pub(crate) fn name_for(&self, address: &str) -> Result<ServerName<'static>, CertificateError> {
        if let Some(name) = &self.name {
            return Ok(name.clone());
        }
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        server_name(host.trim_start_matches('[').trim_end_matches(']'))
    }
}

/// Whether a target can have this name: a host name or an IP address.
pub fn is_server_name(name: &str) -> bool {
    server_name(name).is_ok()
}

fn server_name(name: &str) -> Result<ServerName<'static>, CertificateError> {
    ServerName::try_from(name.to_owned()).map_err(|_| CertificateError::Name { name: name.into() })
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls")
            .field("name", &self.name)
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}

/// Takes one certificate only; that the peer has its key is still proven by the handshake.
#[derive(Debug)]
struct Pinned {
    expected: Fingerprint,
    provider: Arc<CryptoProvider>,
}

/// The certificate is not the pinned one.
#[derive(Debug, thiserror::Error)]
#[error("its fingerprint is {got}, and {expected} was expected")]
pub(super) struct OtherFingerprint {
    pub(super) expected: Fingerprint,
    pub(super) got: Fingerprint,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let (expected, got) = (self.expected, Fingerprint::of(end_entity));
        if expected == got {
            Ok(ServerCertVerified::assertion())
        } else {
            let other = rustls::OtherError(Arc::new(OtherFingerprint { expected, got }));
            Err(Error::InvalidCertificate(rustls::CertificateError::Other(
                other,
            )))
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // Not reached: no earlier version than 1.3 is offered.
        Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
