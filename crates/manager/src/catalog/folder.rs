//! Restore points of a repository folder, read without a server.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::JoinHandle;
use vab_chain::PointId;
use vab_mover::source::RestoreSession;
use vab_mover::target::{self, BindError, TargetOptions};
use vab_mover::{Secrets, Source, SourceOptions};
use vab_repository::{OpenError, Repository};

use super::Filter;
use super::server::{Server, ServerError};
use crate::backup_manager::RepositoryStore;
use crate::clock::SystemClock;
use crate::point::PointInfo;

/// Why a repository folder could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// There is no repository.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The folder has neither the marker of a repository nor a job.
    #[error(
        "`{}` is not a repository and holds no backups; name the folder that `vab serve` was given",
        .folder.display()
    )]
    NotARepository {
        /// The folder.
        folder: PathBuf,
    },
    /// The target mover inside this process could not be started.
    #[error("the data mover for the folder cannot be started")]
    Bind(#[from] BindError),
    /// The streams of a restore point could not be opened.
    #[error(transparent)]
    Server(#[from] ServerError),
}

/// Opens a repository, or a copy of job folders without the marker of one.
pub(crate) fn open_to_read(folder: &Path) -> Result<Repository, FolderError> {
    let repository = Repository::open_read_only(folder)?;
    if repository.id().is_none() && repository.jobs().is_empty() {
        let folder = folder.to_owned();
        return Err(FolderError::NotARepository { folder });
    }
    Ok(repository)
}

#[derive(Debug)]
pub(super) struct Folder {
    repository: Arc<Repository>,
}

impl Folder {
    pub(super) fn open(folder: &Path) -> Result<Self, FolderError> {
        Ok(Self {
            repository: Arc::new(open_to_read(folder)?),
        })
    }

    pub(super) fn points(&self, filter: &Filter) -> Vec<PointInfo> {
        let points = self
            .repository
            .points(filter.job.as_deref(), filter.database.as_deref());
        points.iter().map(PointInfo::from).collect()
    }

    /// Streams go through the same movers as those of a server; the target runs in this process
    /// for as long as the session lasts.
    pub(super) async fn open_point(
        &self,
        point: PointId,
        secrets: &Secrets,
    ) -> Result<(RestoreSession, Target), FolderError> {
        let options = TargetOptions::default();
        let listener = target::bind("127.0.0.1:0", options.exposure).await?;
        let address = listener.local_addr().map_err(|source| BindError::Io {
            address: "127.0.0.1".into(),
            source,
        })?;
        let store = RepositoryStore::new(Arc::clone(&self.repository), Arc::new(SystemClock));
        let task = tokio::spawn(async move {
            // It ends with the task; what could fail is the listener that was just opened.
            let _ended =
                target::serve(listener, Arc::new(store), options, std::future::pending()).await;
        });
        let target = Target(task);
        let source = Source::connect(address.to_string(), SourceOptions::default()).await;
        let source = source.map_err(ServerError::Connect)?;
        Ok((Server::over(source).open(point, secrets).await?, target))
    }
}

/// The target mover of one session; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Target(JoinHandle<()>);

impl Drop for Target {
    fn drop(&mut self) {
        self.0.abort();
    }
}
