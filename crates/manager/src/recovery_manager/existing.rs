//! Keeps a restore from taking the place of a database that somebody may still need.

use std::sync::Arc;

use tokio::task::spawn_blocking;
use vab_engine::{DatabaseState, Engine};

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

/// Refuses when a database of that name is there, unless it waits for a restore. An engine that
/// cannot be asked is not a reason: it refuses by itself what it must not lose.
pub(super) async fn check(engine: Arc<dyn Engine>, name: &str) -> Result<(), ExistingDatabase> {
    let Ok(Ok(databases)) = spawn_blocking(move || engine.databases()).await else {
        return Ok(());
    };
    let same = |there: &str| there == name || there.to_lowercase() == name.to_lowercase();
    let there = databases.into_iter().find(|info| same(&info.name));
    match there {
        Some(info) if info.state != DatabaseState::Restoring => Err(ExistingDatabase {
            database: info.name,
            state: info.state,
        }),
        _ => Ok(()),
    }
}
