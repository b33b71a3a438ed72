//! TLS on the server's side, in both forms that the protocol has.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};

use crate::tds::packet::{self, PRELOGIN, Wire};
use crate::tds::session::Secure;

/// A server with a certificate of its own.
pub(crate) struct Certified {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    pem: String,
}

impl Certified {
    /// A certificate for this name, signed by nobody else.
    pub(crate) fn new(name: &str) -> Self {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        Self {
            certificate: made.cert.der().clone(),
            key: PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap(),
            pem: made.cert.pem(),
        }
    }

    /// Writes the certificate where a client can be told to trust it.
    pub(crate) fn write(&self, folder: &Path) -> PathBuf {
        let file = folder.join("ca.pem");
        std::fs::write(&file, &self.pem).unwrap();
        file
    }

    fn config(&self, version: &'static SupportedProtocolVersion) -> ServerConfig {
        ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], self.key.clone_key())
            .unwrap()
    }
}

impl Secure for Certified {
    fn wrapped(&self, wire: TcpStream) -> io::Result<Box<dyn Wire>> {
        let mut wrapped = Wrapped {
            wire,
            wraps: true,
            incoming: Vec::new(),
            outgoing: Vec::new(),
        };
        let config = Arc::new(self.config(&TLS12));
        let mut connection = ServerConnection::new(config).map_err(io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut wrapped)?;
        }
        wrapped.flush()?;
        wrapped.wraps = false;
        Ok(Box::new(Tls(StreamOwned::new(connection, wrapped))))
    }

    fn first(&self, wire: TcpStream) -> io::Result<Box<dyn Wire>> {
        let mut config = self.config(&TLS13);
        config.alpn_protocols = vec![b"tds/8.0".to_vec()];
        let connection = ServerConnection::new(Arc::new(config)).map_err(io::Error::other)?;
        let wire = Wrapped {
            wire,
            wraps: false,
            incoming: Vec::new(),
            outgoing: Vec::new(),
        };
        Ok(Box::new(Tls(StreamOwned::new(connection, wire))))
    }
}

struct Tls(StreamOwned<ServerConnection, Wrapped>);

impl Read for Tls {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Tls {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Wire for Tls {
    fn patience(&self, limit: Option<Duration>) -> io::Result<()> {
        self.0.sock.wire.set_read_timeout(limit)
    }
}

/// Carries the handshake in packets, and what comes later as it is.
struct Wrapped {
    wire: TcpStream,
    wraps: bool,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
}

impl Read for Wrapped {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.wraps && self.incoming.is_empty() {
            return self.wire.read(buffer);
        }
        if self.incoming.is_empty() {
            let (kind, content) = packet::read(&mut self.wire)?;
            assert_eq!(kind, PRELOGIN);
            self.incoming = content;
        }
        let count = buffer.len().min(self.incoming.len());
        for (to, from) in buffer.iter_mut().zip(self.incoming.drain(..count)) {
            *to = from;
        }
        Ok(count)
    }
}

impl Write for Wrapped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.wraps {
            return self.wire.write(bytes);
        }
        self.outgoing.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.outgoing.is_empty() {
            let content = std::mem::take(&mut self.outgoing);
            packet::write(&mut self.wire, PRELOGIN, &content, true)?;
        }
        self.wire.flush()
    }
}
