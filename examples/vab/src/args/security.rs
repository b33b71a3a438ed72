//! Who may talk to whom, and how fast: on every command that serves or asks a server.

use std::num::NonZeroU16;
#[cfg(feature = "tls")]
use std::path::PathBuf;

use clap::Args;
use vab_manager::{ConnectOptions, Rate, ServeOptions, Throttle};

use crate::commands::Failure;

/// The environment variable with the token.
#[cfg(feature = "tls")]
const TOKEN: &str = "VAB_TOKEN";

/// Of `vab serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeSecurity {
    #[cfg(feature = "tls")]
    #[command(flatten)]
    pub tls: ServeTls,
    /// Streams of all backups at a time; more wait, or are told to come back.
    #[arg(long, value_name = "N")]
    pub slots: Option<NonZeroU16>,
    /// Bandwidth of all sessions together, such as 100MiB/s.
    #[arg(long, value_name = "RATE")]
    pub limit: Option<Rate>,
    /// Bandwidth of each session, such as 20MiB/s.
    #[arg(long, value_name = "RATE")]
    pub session_limit: Option<Rate>,
}

#[cfg(feature = "tls")]
#[derive(Debug, Args)]
pub(crate) struct ServeTls {
    /// Serve with TLS: the certificate of this server, as PEM.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The private key of that certificate.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Let in who has a certificate that one of these authorities signed.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub client_ca: Option<PathBuf>,
    /// Let in who has the token of this file or of `VAB_TOKEN`; with --client-ca, ask for both.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub token_file: Option<PathBuf>,
}

impl ServeSecurity {
    pub(crate) fn apply(&self, options: &mut ServeOptions) -> Result<(), Failure> {
        options.slots = self.slots;
        options.limit = self.limit.map(Throttle::new);
        options.session_limit = self.session_limit;
        #[cfg(feature = "tls")]
        if let Some(tls) = self.tls.load()? {
            options.security = vab_manager::ServerSecurity::Tls(tls);
        }
        Ok(())
    }
}

/// Of every command that asks a server.
#[derive(Debug, Args)]
pub(crate) struct ConnectSecurity {
    #[cfg(feature = "tls")]
    #[command(flatten)]
    pub tls: ConnectTls,
    /// Bandwidth of this command, such as 100MiB/s.
    #[arg(long, value_name = "RATE")]
    pub limit: Option<Rate>,
}

#[cfg(feature = "tls")]
#[derive(Debug, Args)]
pub(crate) struct ConnectTls {
    /// Connect with TLS, to a server whose certificate one of these authorities signed.
    #[arg(long, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
    /// Connect with TLS, to the server whose certificate has this SHA-256 fingerprint.
    #[arg(long, value_name = "SHA256", conflicts_with = "tls_ca")]
    pub tls_fingerprint: Option<vab_manager::security::Fingerprint>,
    /// The name in the server's certificate, if it is not the one that is dialed.
    #[arg(long, value_name = "HOST", requires = "tls_ca")]
    pub tls_name: Option<String>,
    /// Show this certificate to the server.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The private key of that certificate.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Show the token of this file, or of `VAB_TOKEN`.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

impl ConnectSecurity {
    pub(crate) fn options(&self) -> Result<ConnectOptions, Failure> {
        let mut options = ConnectOptions::default();
        options.limit = self.limit.map(Throttle::new);
        #[cfg(feature = "tls")]
        if let Some(tls) = self.tls.load()? {
            options.security = vab_manager::ClientSecurity::Tls(tls);
        }
        Ok(options)
    }
}

#[cfg(feature = "tls")]
mod load {
    use std::path::Path;

    use vab_manager::security::{
        Certificates, ClientRule, ClientTls, OwnCertificate, ServerTls, Token, Trust,
    };

    use super::{ConnectTls, ServeTls, TOKEN};
    use crate::commands::Failure;

    impl ServeTls {
        pub(super) fn load(&self) -> Result<Option<ServerTls>, Failure> {
            let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) else {
                return Ok(None);
            };
            let own = OwnCertificate::from_files(certificate, key)?;
            let authorities = self.client_ca.as_deref().map(Certificates::from_file);
            let clients = match (authorities.transpose()?, token(self.token_file.as_deref())?) {
                (Some(authorities), Some(token)) => {
                    ClientRule::CertificateAndToken(authorities, token)
                }
                (Some(authorities), None) => ClientRule::Certificate(authorities),
                (None, Some(token)) => ClientRule::Token(token),
                (None, None) => {
                    return Err(format!(
                        "say who may come in: --client-ca FILE, --token-file FILE or {TOKEN}"
                    )
                    .into());
                }
            };
            Ok(Some(ServerTls::new(&own, &clients)?))
        }
    }

    impl ConnectTls {
        pub(super) fn load(&self) -> Result<Option<ClientTls>, Failure> {
            let trust = match (&self.tls_ca, self.tls_fingerprint) {
                (Some(authorities), _) => Trust::Authorities(Certificates::from_file(authorities)?),
                (None, Some(fingerprint)) => Trust::Fingerprint(fingerprint),
                (None, None) if self.tls_cert.is_some() || self.token_file.is_some() => {
                    return Err(
                        "certificates and tokens are shown to servers that are made sure of only: add --tls-ca FILE or --tls-fingerprint SHA256"
                            .into(),
                    );
                }
                (None, None) => return Ok(None),
            };
            let own = match (&self.tls_cert, &self.tls_key) {
                (Some(certificate), Some(key)) => {
                    Some(OwnCertificate::from_files(certificate, key)?)
                }
                _ => None,
            };
            let token = token(self.token_file.as_deref())?;
            let tls = ClientTls::new(&trust, own.as_ref(), token)?;
            Ok(Some(match &self.tls_name {
                Some(name) => tls.with_server_name(name)?,
                None => tls,
            }))
        }
    }

    fn token(file: Option<&Path>) -> Result<Option<Token>, Failure> {
        match file {
            Some(file) => Ok(Some(Token::from_file(file)?)),
            None => Ok(Token::from_environment(TOKEN)?),
        }
    }
}
