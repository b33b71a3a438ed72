use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, ToSocketAddrs};

use super::options::{Exposure, Security};

/// Why a listener cannot be opened or served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The address is used by another program, perhaps another target mover.
    #[error("{address} is in use; stop the program that listens there or choose another port")]
    InUse {
        /// The address that was asked for.
        address: String,
    },
    /// The address can be reached from other machines, and the listener does not encrypt.
    #[error(
        "{address} can be reached from other machines and the connection is not encrypted; serve with TLS, listen on 127.0.0.1, or allow exposure to the network in words"
    )]
    NotLoopback {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// The listener was opened for TLS, and the target has none.
    #[error("{address} was opened for TLS, and the target serves without; give it a certificate")]
    NotEncrypted {
        /// The address of the listener.
        address: SocketAddr,
    },
    /// The system refused otherwise.
    #[error("cannot listen on {address}: {source}")]
    Io {
        /// The address that was asked for.
        address: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Opens a listener, for [`serve`](super::serve).
///
/// # Errors
/// [`BindError`]; [`BindError::NotLoopback`] if the exposure does not allow the address.
pub async fn bind<A: ToSocketAddrs + ToString>(
    address: A,
    exposure: Exposure,
) -> Result<TcpListener, BindError> {
    let name = address.to_string();
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse {
            address: name.clone(),
        },
        _ => BindError::Io {
            address: name.clone(),
            source,
        },
    };
    // Checked before anything listens.
    let mut candidates = Vec::new();
    for candidate in tokio::net::lookup_host(address).await.map_err(failed)? {
        check(candidate, exposure)?;
        candidates.push(candidate);
    }
    TcpListener::bind(candidates.as_slice())
        .await
        .map_err(failed)
}

pub(super) fn check(address: SocketAddr, exposure: Exposure) -> Result<(), BindError> {
    match exposure {
        Exposure::Loopback if !address.ip().is_loopback() => {
            Err(BindError::NotLoopback { address })
        }
        _ => Ok(()),
    }
}

/// Whether a target with this security may serve this listener.
pub(super) fn check_served(
    address: SocketAddr,
    exposure: Exposure,
    security: &Security,
) -> Result<(), BindError> {
    match (security, exposure) {
        #[cfg(feature = "tls")]
        (Security::Tls(_), _) => Ok(()),
        (Security::Plain, Exposure::Encrypted) => Err(BindError::NotEncrypted { address }),
        (Security::Plain, exposure) => check(address, exposure),
    }
}
