use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::ahead::ReadAhead;
use super::guard::Allowance;
use super::wire::drain;
use crate::copy;
use crate::security::{CertificateError, ClientTls, PeerIdentity, ServerTls, TlsProblem};

/// Bytes that are encrypted before they are handed to the system, and kept until it takes them.
const UNSENT: usize = 256 * 1024;

/// A connection inside TLS.
#[derive(Debug)]
pub(crate) struct Secured<S>(TlsStream<ReadAhead<S>>);

impl<S> Secured<S> {
    fn new(stream: impl Into<TlsStream<ReadAhead<S>>>) -> Self {
        let mut stream = stream.into();
        match &mut stream {
            TlsStream::Client(stream) => stream.get_mut().1.set_buffer_limit(Some(UNSENT)),
            TlsStream::Server(stream) => stream.get_mut().1.set_buffer_limit(Some(UNSENT)),
        }
        Self(stream)
    }
}

/// The source's part of a handshake; `address` is the `host:port` that was dialed.
pub(crate) async fn connect<S>(
    tls: &ClientTls,
    address: &str,
    stream: S,
) -> Result<Secured<S>, TlsProblem>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = tls
        .name_for(address)
        .map_err(|error: CertificateError| TlsProblem::Other {
            cause: error.to_string(),
        })?;
    TlsConnector::from(Arc::clone(&tls.config))
        .connect(name, ReadAhead::new(stream, Allowance::lifted()))
        .await
        .map(Secured::new)
        .map_err(|error| TlsProblem::of_handshake(&error))
}

/// The target's part of a handshake. `None` as the identity: nobody was asked for a certificate.
/// Nothing is read ahead before `known` is lifted.
pub(crate) async fn accept<S>(
    tls: &ServerTls,
    stream: S,
    known: Allowance,
) -> Result<(Secured<S>, Option<PeerIdentity>), TlsProblem>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let acceptor = TlsAcceptor::from(Arc::clone(&tls.config));
    let stream = ReadAhead::new(stream, known);
    match acceptor.accept(stream).into_fallible().await {
        Ok(stream) => {
            let (_, connection) = stream.get_ref();
            let certificate = connection.peer_certificates().and_then(<[_]>::first);
            let identity = certificate.map(identity);
            Ok((Secured::new(stream), identity))
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

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Secured<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut stream = Pin::new(&mut self.0);
        let bytes = ready!(stream.as_mut().poll_fill_buf(cx))?;
        let count = copy::fill(buffer, bytes);
        stream.consume(count);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Secured<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
