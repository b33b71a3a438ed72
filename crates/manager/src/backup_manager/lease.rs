//! Keeps a served repository's lease alive.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};

use super::store::RepositoryStore;

/// A third of the lease, so that one failed renewal costs nothing.
const INTERVAL: Duration = Duration::from_secs(20);

/// Renews the lease until the task is aborted. A failure is told and tried again: when another
/// server has taken the repository over, commits fail by themselves.
pub(super) fn keep(store: Arc<RepositoryStore>) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(INTERVAL).await;
            let store = Arc::clone(&store);
            let renewed = spawn_blocking(move || store.renew_lease()).await;
            if let Ok(Err(error)) = renewed {
                tracing::warn!(%error, "the lease of the repository was not renewed");
            }
        }
    })
}
