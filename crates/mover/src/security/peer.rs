use std::fmt;

/// What a target knows of who is at the other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PeerIdentity {
    /// A program of this machine, over a plain connection.
    Loopback,
    /// Anybody: a plain connection from the network.
    Anybody,
    /// It knows the token.
    Token,
    /// It has the key of a certificate that an authority of this target signed.
    Certificate {
        /// The subject, such as `CN=backup source`.
        subject: String,
    },
}

impl fmt::Display for PeerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback => f.write_str("loopback"),
            Self::Anybody => f.write_str("anybody"),
            Self::Token => f.write_str("token"),
            Self::Certificate { subject } => write!(f, "certificate {subject}"),
        }
    }
}
