use std::time::Duration;

use tokio::net::TcpStream;

use super::error::ConnectError;
use super::options::SourceOptions;
use crate::net::{Halves, LinkError, greet};
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
