//! The way to a backup manager.

use vab_mover::{Source, SourceOptions};

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

pub(crate) async fn connect(address: &str) -> Result<Source, ConnectError> {
    Source::connect(address, SourceOptions::default()).await
}
