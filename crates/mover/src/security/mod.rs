//! Who may talk to whom: certificates, tokens, and what a target knows of a peer.
//!
//! A connection is either plain, which a target offers on loopback only unless it is told
//! otherwise in words, or TLS 1.3. Over TLS, the source always makes sure of the target, by an
//! authority it trusts or by the fingerprint of the target's certificate; the target makes sure
//! of the source by a certificate, a token, or both.

mod peer;
mod token;

#[cfg(feature = "tls")]
mod certificates;
#[cfg(feature = "tls")]
mod client;
#[cfg(feature = "tls")]
mod fingerprint;
#[cfg(feature = "tls")]
mod problem;
#[cfg(feature = "tls")]
mod server;

pub use peer::PeerIdentity;
pub use token::{Token, TokenError};

#[cfg(feature = "tls")]
pub use certificates::{CertificateError, Certificates, OwnCertificate};
#[cfg(feature = "tls")]
pub use client::{ClientTls, Trust, is_server_name};
#[cfg(feature = "tls")]
pub use fingerprint::{Fingerprint, FingerprintError};
#[cfg(feature = "tls")]
pub use problem::{CertificateProblem, TlsProblem};
#[cfg(feature = "tls")]
pub use server::{ClientRule, ServerTls};

/// What a rustls configuration is made with.
#[cfg(feature = "tls")]
fn provider() -> std::sync::Arc<rustls::crypto::CryptoProvider> {
    std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// The name of the protocol inside TLS: a certificate for another service on the same machine
/// does not make it a target mover.
#[cfg(feature = "tls")]
const PROTOCOL: &[u8] = b"vab";
