//! What goes wrong in a handshake, in words that say what to do.

use std::fmt;
use std::io;

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

use super::Fingerprint;
use super::client::OtherFingerprint;

/// Why a certificate is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateProblem {
    /// Its time is over.
    #[error("it ended{}; make a new one, or set the clock right", Ago(*ended))]
    Expired {
        /// How many seconds ago, where that is known.
        ended: Option<u64>,
    },
    /// Its time has not come.
    #[error("it is not valid yet{}; set the clock right, or wait", Ahead(*begins))]
    NotYetValid {
        /// In how many seconds it will be, where that is known.
        begins: Option<u64>,
    },
    /// No authority that is trusted has signed it.
    #[error(
        "none of the trusted authorities signed it; trust the one that did, or pin the fingerprint"
    )]
    UnknownAuthority,
    /// It names a trusted authority that has not signed it.
    #[error(
        "it names a trusted authority, whose signature it does not have; it is of another authority of that name, or forged"
    )]
    Signature,
    /// It is made for other names.
    #[error(
        "it is not made for {expected}{}; dial a name it is made for, or make one for that name",
        Made(names)
    )]
    WrongName {
        /// The name that was expected.
        expected: String,
        /// Those it is made for, where they are known.
        names: Vec<String>,
    },
    /// It is not the one that was pinned.
    #[error(
        "its fingerprint is {got}, and {expected} was expected; if the target was given a new certificate, pin that one, and if not, somebody else answers"
    )]
    OtherFingerprint {
        /// The pinned one.
        expected: Fingerprint,
        /// The one that was shown.
        got: Fingerprint,
    },
    /// It was made for something else.
    #[error("it was not made for this purpose (server or client); make one that is")]
    Purpose,
    /// Anything else.
    #[error("{cause}")]
    Other {
        /// What is wrong.
        cause: String,
    },
}

/// Why a handshake failed, or ended a connection soon after.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsProblem {
    /// This side does not accept the other side's certificate.
    #[error("the other side's certificate is not accepted: {0}")]
    Certificate(#[from] CertificateProblem),
    /// The other side does not accept this side's certificate.
    #[error("the other side does not accept the certificate of this side: {why}")]
    NotAccepted {
        /// Why, as far as it said.
        why: &'static str,
    },
    /// The other side asks for a certificate, and this side has none.
    #[error(
        "the other side asks for a certificate; give one that its authority signed (--tls-cert and --tls-key)"
    )]
    CertificateWanted,
    /// The other side does not speak TLS.
    #[error("the other side does not speak TLS")]
    NoTls,
    /// The other side speaks TLS for something else, or an older version.
    #[error("the other side speaks another protocol, or TLS older than 1.3: {cause}")]
    Incompatible {
        /// What is missing.
        cause: String,
    },
    /// The connection broke before the handshake was over.
    #[error("the connection ended during the handshake: {cause}")]
    Broken {
        /// What happened.
        cause: String,
    },
    /// Anything else.
    #[error("{cause}")]
    Other {
        /// What happened.
        cause: String,
    },
}

impl TlsProblem {
    /// What an error of a TLS stream means; `None` if TLS has no part in it.
    pub(crate) fn seen_in(error: &io::Error) -> Option<Self> {
        let inner = error.get_ref()?.downcast_ref::<Error>()?;
        Some(Self::from(inner))
    }

    /// What an error of a handshake means.
    pub(crate) fn of_handshake(error: &io::Error) -> Self {
        Self::seen_in(error).unwrap_or_else(|| Self::Broken {
            cause: error.to_string(),
        })
    }
}

impl From<&Error> for TlsProblem {
    fn from(error: &Error) -> Self {
        match error {
            Error::InvalidCertificate(problem) => Self::Certificate(problem.into()),
            Error::NoCertificatesPresented => Self::Certificate(CertificateProblem::Other {
                cause: "it showed none; give the source a certificate".to_owned(),
            }),
            Error::AlertReceived(alert) => alert_of(*alert),
            Error::InvalidMessage(
                InvalidMessage::InvalidContentType
                | InvalidMessage::UnknownProtocolVersion
                | InvalidMessage::MessageTooLarge,
            ) => Self::NoTls,
            Error::PeerIncompatible(why) => Self::Incompatible {
                cause: format!("{why:?}"),
            },
            Error::NoApplicationProtocol => Self::Incompatible {
                cause: "it asks for another protocol inside TLS".to_owned(),
            },
            other => Self::Other {
                cause: other.to_string(),
            },
        }
    }
}

fn alert_of(alert: AlertDescription) -> TlsProblem {
    let why = match alert {
        AlertDescription::CertificateRequired => return TlsProblem::CertificateWanted,
        AlertDescription::CertificateExpired => {
            "it has ended or is not valid yet; make a new one, or set the clocks right"
        }
        AlertDescription::UnknownCA => {
            "none of the authorities it trusts signed it; take one that such an authority signed"
        }
        AlertDescription::CertificateRevoked => "it was revoked; make a new one",
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::AccessDenied => {
            "it is of the wrong kind, or of another name; make one that fits"
        }
        AlertDescription::DecryptError => {
            "it does not have the signature of the authority it names; take one that an authority signed which the other side trusts"
        }
        AlertDescription::NoApplicationProtocol | AlertDescription::ProtocolVersion => {
            return TlsProblem::Incompatible {
                cause: format!("it said {alert:?}"),
            };
        }
        alert => {
            return TlsProblem::Other {
                cause: format!("the other side ended the handshake with the alert {alert:?}"),
            };
        }
    };
    TlsProblem::NotAccepted { why }
}

impl From<&CertificateError> for CertificateProblem {
    fn from(error: &CertificateError) -> Self {
        match error {
            CertificateError::Expired => Self::Expired { ended: None },
            CertificateError::ExpiredContext { time, not_after } => Self::Expired {
                ended: Some(between(*not_after, *time)),
            },
            CertificateError::NotValidYet => Self::NotYetValid { begins: None },
            CertificateError::NotValidYetContext { time, not_before } => Self::NotYetValid {
                begins: Some(between(*time, *not_before)),
            },
            CertificateError::UnknownIssuer => Self::UnknownAuthority,
            CertificateError::BadSignature => Self::Signature,
            CertificateError::NotValidForNameContext {
                expected,
                presented,
            } => Self::WrongName {
                expected: expected.to_str().into_owned(),
                names: presented.iter().map(|name| bare(name)).collect(),
            },
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                Self::Purpose
            }
            CertificateError::Other(other) => match other.0.downcast_ref::<OtherFingerprint>() {
                Some(OtherFingerprint { expected, got }) => Self::OtherFingerprint {
                    expected: *expected,
                    got: *got,
                },
                None => Self::Other {
                    cause: other.to_string(),
                },
            },
            other => Self::Other {
                cause: other.to_string(),
            },
        }
    }
}

/// A name without what kind it is: `DnsName("a.example")`, `IpAddress(10.0.0.7)`.
fn bare(name: &str) -> String {
    let inner = name
        .split_once('(')
        .and_then(|(_, inner)| inner.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"').to_owned()
}

fn between(from: UnixTime, to: UnixTime) -> u64 {
    to.as_secs().saturating_sub(from.as_secs())
}

struct Ago(Option<u64>);

impl fmt::Display for Ago {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(seconds) => write!(f, " {} ago", Span(seconds)),
            None => Ok(()),
        }
    }
}

struct Ahead(Option<u64>);

impl fmt::Display for Ahead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(seconds) => write!(f, ", but in {}", Span(seconds)),
            None => Ok(()),
        }
    }
}

struct Span(u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            seconds @ ..120 => write!(f, "{seconds} s"),
            seconds @ ..7200 => write!(f, "{} min", seconds / 60),
            seconds @ ..172_800 => write!(f, "{} h", seconds / 3600),
            seconds => write!(f, "{} days", seconds / 86_400),
        }
    }
}

struct Made<'a>(&'a [String]);

impl fmt::Display for Made<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => Ok(()),
            names => write!(f, ", but for {}", names.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_without_their_kinds() {
        assert_eq!(bare("DnsName(\"a.example\")"), "a.example");
        assert_eq!(bare("IpAddress(10.0.0.7)"), "10.0.0.7");
        assert_eq!(bare("something else"), "something else");
    }

    #[test]
    fn how_long_ago_is_told_in_a_handy_unit() {
        let ended = |seconds| {
            let ended = Some(seconds);
            CertificateProblem::Expired { ended }.to_string()
        };
        assert!(ended(5).starts_with("it ended 5 s ago"));
        assert!(ended(7199).starts_with("it ended 119 min ago"));
        assert!(ended(86_400).starts_with("it ended 24 h ago"));
        assert!(ended(864_000).starts_with("it ended 10 days ago"));
    }
}
