//! Keeps a restore from taking the place of a database that somebody may still need.

use std::sync::Arc;

use tokio::task::spawn_blocking;
use vab_engine::{DatabaseState, Engine, EngineError};

use super::restore::RestoreError;

/// A restore would take the place of a database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the database {database} is there already and is {state}; back up the tail of its log first \
     (--tail), restore under another name (--as), or say that it is to be replaced (--replace)"
)]
#[non_exhaustive]
pub struct ExistingDatabase {
    /// Its name.
    pub database: String,
    /// How it stands.
    pub state: DatabaseState,
}

/// Refuses when a database of that name is there, unless it waits for a restore.
pub(super) async fn check(engine: Arc<dyn Engine>, name: &str) -> Result<(), RestoreError> {
    let databases = match spawn_blocking(move || engine.databases()).await {
        Ok(Ok(databases)) => databases,
        // An engine without a list has nothing to lose, or refuses by itself.
        Ok(Err(EngineError::Unsupported { .. })) => return Ok(()),
        Ok(Err(error)) => return Err(RestoreError::Engine(error)),
        Err(_) => return Err(RestoreError::Died),
    };
    let same = |there: &str| there.to_lowercase() == name.to_lowercase();
    let there = databases.into_iter().find(|info| same(&info.name));
    match there {
        Some(info) if info.state != DatabaseState::Restoring => Err(ExistingDatabase {
            database: info.name,
            state: info.state,
        }
        .into()),
        _ => Ok(()),
    }
}
