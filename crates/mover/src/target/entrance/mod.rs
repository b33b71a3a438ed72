//! What happens to a connection before its peer is known: nothing is allocated for it but this.

#[cfg(feature = "tls")]
mod tls;

use std::net::SocketAddr;

use tokio::net::TcpStream;
use tracing::info;

use super::options::{Security, TargetOptions};
use crate::clock::Clock;
use crate::net::{Allowance, Guarded, Halves, LinkError, Throttles, greet, read_frame};
use crate::pool::Pool;
use crate::proto::control::Control;
use crate::proto::frame::{Frame, FrameError, Limits};
use crate::proto::{Agreement, Hello};
use crate::security::PeerIdentity;

/// A connection whose peer is known and has asked for something.
pub(super) struct Guest {
    pub(super) halves: Halves,
    pub(super) agreement: Agreement,
    pub(super) peer: PeerIdentity,
    pub(super) request: Control,
}

/// Why a connection came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stranger {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[cfg(feature = "tls")]
    #[error("the TLS handshake failed: {0}")]
    Handshake(#[from] crate::security::TlsProblem),
    #[cfg(feature = "tls")]
    #[error("it greeted without TLS, and this target wants TLS")]
    Plain,
    #[cfg(feature = "tls")]
    #[error("it has no token, and this target wants one")]
    NoToken,
    #[cfg(feature = "tls")]
    #[error("its token is not the one of this target")]
    WrongToken,
    #[error("it asked for nothing in time")]
    Silent,
    #[error("newer connections came before it said who it is")]
    SentAway,
}

impl Stranger {
    /// Someone who tried may try again; someone who said nothing is not worth a warning.
    pub(super) fn tell(&self) {
        match self {
            Self::Link(LinkError::Closed) => info!("a connection was closed by its peer"),
            Self::Link(_) | Self::Silent | Self::SentAway => {
                info!(cause = %self, "a connection came to nothing");
            }
            #[cfg(feature = "tls")]
            _ => tracing::warn!(cause = %self, "a connection was refused"),
        }
    }
}

/// Makes sure of the peer, greets, and hears its first request.
pub(super) async fn open(
    stream: TcpStream,
    peer: SocketAddr,
    options: &TargetOptions,
    clock: Clock,
) -> Result<Guest, Stranger> {
    // Small control messages must not wait for more.
    let _ = stream.set_nodelay(true);
    let limits = Throttles::of(options.session_limit, options.shared_limit.as_ref());
    let allowance = Allowance::new(options.max_unknown_bytes);
    let guest = match &options.security {
        Security::Plain => {
            let identity = if peer.ip().to_canonical().is_loopback() {
                PeerIdentity::Loopback
            } else {
                PeerIdentity::Anybody
            };
            let stream = Guarded::new(stream, allowance.clone());
            let mut halves = Halves::of(stream, &limits, clock);
            let greeting = greet(&mut halves, Hello::ours()).await?;
            let request = control(&mut halves).await?;
            Guest {
                halves,
                agreement: greeting.agreement,
                peer: identity,
                request,
            }
        }
        #[cfg(feature = "tls")]
        Security::Tls(tls) => tls::open(tls, stream, &limits, allowance.clone(), clock).await?,
    };
    allowance.lift();
    Ok(guest)
}

async fn control(halves: &mut Halves) -> Result<Control, LinkError> {
    let pool = Pool::new(0);
    match read_frame(&mut halves.reader, Limits::CONTROL, &pool, &|| ()).await? {
        Frame::Control(control) => Ok(control),
        Frame::Block(_) => Err(FrameError::UnexpectedBlock.into()),
    }
}
