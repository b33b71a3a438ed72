use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::error::ConnectError;
use super::options::SourceOptions;
use crate::net::{Halves, Link, LinkError, greet};
use crate::proto::Agreement;

/// Opens connections to one target.
#[derive(Debug)]
pub(super) struct Dialer {
    pub(super) address: String,
    pub(super) options: SourceOptions,
}

impl Dialer {
    /// Opens a connection and greets.
    pub(super) async fn dial(&self) -> Result<(Halves, Agreement), ConnectError> {
        let limit: Duration = self.options.connect_limit;
        match tokio::time::timeout(limit, self.try_dial()).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ConnectError::TimedOut {
                address: self.address.clone(),
                limit,
            }),
        }
    }

    async fn try_dial(&self) -> Result<(Halves, Agreement), ConnectError> {
        let address = || self.address.clone();
        let stream = TcpStream::connect(&self.address).await.map_err(|source| {
            ConnectError::Unreachable {
                address: address(),
                source,
            }
        })?;
        let mut halves = Halves::tcp(stream);
        match greet(&mut halves).await {
            Ok(agreement) => Ok((halves, agreement)),
            Err(LinkError::Hello(source)) => Err(ConnectError::Hello {
                address: address(),
                source,
            }),
            Err(error) => Err(ConnectError::Closed {
                address: address(),
                cause: error.to_string(),
            }),
        }
    }
}

/// A try to come back that runs beside the session.
#[derive(Default)]
pub(super) struct Redial(Option<oneshot::Receiver<Result<Link, String>>>);

impl Redial {
    /// Begins a try; one that was running counts no longer.
    pub(super) fn begin(
        &mut self,
        dialer: &Arc<Dialer>,
        start: impl FnOnce(Halves) -> Link + Send + 'static,
    ) {
        let (done, answer) = oneshot::channel();
        let dialer = Arc::clone(dialer);
        tokio::spawn(async move {
            let outcome = dialer.dial().await;
            let outcome = outcome.map(|(halves, _)| start(halves));
            let _ = done.send(outcome.map_err(|error| error.to_string()));
        });
        self.0 = Some(answer);
    }

    /// How the try ended; for ever pending without one. Cancel safe.
    pub(super) async fn outcome(&mut self) -> Result<Link, String> {
        let Some(answer) = &mut self.0 else {
            return std::future::pending().await;
        };
        let outcome = answer
            .await
            .unwrap_or_else(|_| Err("the try was dropped".to_owned()));
        self.0 = None;
        outcome
    }
}
