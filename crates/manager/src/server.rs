//! The way to a backup manager.

use std::time::Duration;

use vab_mover::source::Security;
use vab_mover::{Source, SourceOptions, Throttle};

use crate::message::MessageError;

pub use vab_mover::source::ConnectError;

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// It was not answered.
    #[error(transparent)]
    Query(#[from] vab_mover::source::QueryError),
    /// The answer is not ours.
    #[error(transparent)]
    Message(#[from] MessageError),
}

/// How to reach a backup manager.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// How it is made sure of, and what is shown to it. Plain by default.
    pub security: Security,
    /// The bandwidth that all connections made with clones of these options share.
    pub limit: Option<Throttle>,
    /// How long a backup waits for stream slots of a busy server. Default 10 minutes.
    pub busy_limit: Duration,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            security: Security::Plain,
            limit: None,
            busy_limit: Duration::from_secs(600),
        }
    }
}

pub(crate) async fn connect(
    address: &str,
    options: &ConnectOptions,
) -> Result<Source, ConnectError> {
    let options = SourceOptions {
        security: options.security.clone(),
        shared_limit: options.limit.clone(),
        busy_limit: options.busy_limit,
        ..SourceOptions::default()
    };
    Source::connect(address, options).await
}
