use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::{Instrument, field, info, info_span, warn};

use super::bind::{self, BindError};
use super::door::Door;
use super::lobby::Lobby;
use super::options::TargetOptions;
use super::turns::Turns;
use crate::Store;
use crate::clock::Clock;

/// Time for what is aborted at the end to be cleaned up.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// Pause after the system could not accept a connection, for example for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why a target mover cannot serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The listener is exposed further than the options allow.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The listener is not usable.
    #[error("the listener cannot be used: {0}")]
    Listener(#[source] io::Error),
}

/// How far the target is on its way to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Running,
    /// Nothing new is begun.
    Draining,
    /// What still runs is aborted.
    Stop,
}

/// Serves `store` to every source that connects, until `shutdown` is done. Sessions then have
/// [`TargetOptions::shutdown_limit`] to end; what still runs after that is aborted and leaves
/// nothing.
///
/// Without TLS, the listener must be bound to a loopback address unless the options say otherwise.
///
/// # Errors
/// [`ServeError`] if the listener cannot be used. Errors of a connection end that connection
/// only.
pub async fn serve(
    listener: TcpListener,
    store: Arc<dyn Store>,
    options: TargetOptions,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let address = listener.local_addr().map_err(ServeError::Listener)?;
    bind::check_served(address, options.exposure, &options.security)?;
    info!(%address, security = ?options.security, "target mover is listening");
    let (stage, watched) = watch::channel(Stage::Running);
    let places = Arc::new(Semaphore::new(options.max_connections));
    let limit = options.shutdown_limit;
    let lobby = Lobby::new(options.max_unknown);
    let door = Door {
        store,
        turns: Turns::new(options.parallel_writes),
        sessions: options.desk.0.clone(),
        options: Arc::new(options),
        resuming: Arc::default(),
        stage: watched,
        clock: Clock::start(),
    };
    let mut running = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
            Some(_) = running.join_next() => continue,
        };
        match accepted {
            Ok((stream, peer)) => {
                let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                    warn!(%peer, "too many connections; one is closed");
                    continue;
                };
                let door = door.clone();
                let span = info_span!("connection", %peer, identity = field::Empty);
                let served = door.receive(stream, peer, place, lobby.enter());
                running.spawn(served.instrument(span));
            }
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    info!(%address, sessions = running.len(), "target mover is stopping");
    let _ = stage.send(Stage::Draining);
    drop(door);
    if tokio::time::timeout(limit, drain(&mut running))
        .await
        .is_err()
    {
        let _ = stage.send(Stage::Stop);
        let _ = tokio::time::timeout(LAST_WORDS, drain(&mut running)).await;
    }
    running.shutdown().await;
    info!(%address, "target mover has stopped");
    Ok(())
}

async fn drain(running: &mut JoinSet<()>) {
    while running.join_next().await.is_some() {}
}
