use std::io;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::wire::drain;
use crate::security::{CertificateError, ClientTls, PeerIdentity, ServerTls, TlsProblem};

/// The source's part of a handshake; `address` is the `host:port` that was dialed.
pub(crate) async fn connect<S>(
    tls: &ClientTls,
    address: &str,
    stream: S,
) -> Result<client::TlsStream<S>, TlsProblem>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = tls
        .name_for(address)
        .map_err(|error: CertificateError| TlsProblem::Other {
            cause: error.to_string(),
        })?;
    TlsConnector::from(Arc::clone(&tls.config))
        .connect(name, stream)
        .await
        .map_err(|error| TlsProblem::of_handshake(&error))
}

/// The target's part of a handshake. `None` as the identity: nobody was asked for a certificate.
pub(crate) async fn accept<S>(
    tls: &ServerTls,
    stream: S,
) -> Result<(server::TlsStream<S>, Option<PeerIdentity>), TlsProblem>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let acceptor = TlsAcceptor::from(Arc::clone(&tls.config));
    match acceptor.accept(stream).into_fallible().await {
        Ok(stream) => {
            let (_, connection) = stream.get_ref();
            let certificate = connection.peer_certificates().and_then(<[_]>::first);
            let identity = certificate.map(identity);
            Ok((stream, identity))
        }
        Err((error, mut stream)) => {
            // What is wrong was said in an alert; the source is to hear it.
            let _: io::Result<()> = stream.shutdown().await;
            drain(&mut stream).await;
            Err(TlsProblem::of_handshake(&error))
        }
    }
}

/// Who a certificate, which was verified, is made for.
fn identity(certificate: &CertificateDer<'_>) -> PeerIdentity {
    let subject = X509Certificate::from_der(certificate)
        .map(|(_, certificate)| in_one_line(&certificate.subject().to_string()))
        .ok()
        .filter(|subject| !subject.is_empty());
    PeerIdentity::Certificate {
        subject: subject.unwrap_or_else(|| "without a subject".to_owned()),
    }
}

/// Names go into logs, where they must not look like other lines.
fn in_one_line(name: &str) -> String {
    name.chars()
        .flat_map(char::escape_debug)
        .take(256)
        .collect()
}
