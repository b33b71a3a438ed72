use std::fmt;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};

use super::certificates::{CertificateError, Certificates, OwnCertificate};
use super::token::TokenDigest;
use super::{PROTOCOL, Token, provider};

/// What a source must show. There is no rule that lets everybody in.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ClientRule {
    /// A certificate that one of these authorities signed.
    Certificate(Certificates),
    /// The token.
    Token(Token),
    /// Both.
    CertificateAndToken(Certificates, Token),
}

/// TLS of a target: its certificate, and whom it lets in.
#[derive(Clone)]
pub struct ServerTls {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) token: Option<TokenDigest>,
}

impl ServerTls {
    /// Serves with `certificate` those that `clients` lets in.
    ///
    /// # Errors
    /// [`CertificateError`] if the certificates cannot be used.
    pub fn new(
        certificate: &OwnCertificate,
        clients: &ClientRule,
    ) -> Result<Self, CertificateError> {
        let (authorities, token) = match clients {
            ClientRule::Certificate(authorities) => (Some(authorities), None),
            ClientRule::Token(token) => (None, Some(token)),
            ClientRule::CertificateAndToken(authorities, token) => (Some(authorities), Some(token)),
        };
        let mismatch = |error: rustls::Error| CertificateError::Mismatch {
            cause: error.to_string(),
        };
        let provider = provider();
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(mismatch)?;
        let builder = match authorities {
            None => builder.with_no_client_auth(),
            Some(authorities) => {
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(authorities.roots()?, provider)
                        .build()
                        .map_err(|error| CertificateError::Authority {
                            cause: error.to_string(),
                        })?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let (chain, key) = certificate.parts();
        let mut config = builder.with_single_cert(chain, key).map_err(mismatch)?;
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        // Every connection proves everything anew: a certificate that has ended meanwhile must
        // not come in on the strength of an older handshake.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self {
            config: Arc::new(config),
            token: token.map(|token| TokenDigest::of(token.secret())),
        })
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls")
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}
