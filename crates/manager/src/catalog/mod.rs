//! Where restore points are looked up and read: a running server, or a repository folder.

mod folder;
mod server;

use std::path::Path;

use vab_chain::PointId;
use vab_mover::source::RestoreSession;
use vab_mover::{Secrets, Source};

use crate::PointInfo;
use crate::server::ConnectOptions;
pub use folder::FolderError;
pub(crate) use folder::open_to_read;
pub use server::ServerError;

/// A running backup manager, or a repository folder that is read directly.
#[derive(Debug)]
pub struct Catalog(Inner);

#[derive(Debug)]
enum Inner {
    Server(server::Server),
    Folder(folder::Folder),
}

/// Which restore points are wanted; all by default.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only of this job.
    pub job: Option<String>,
    /// Only of this database.
    pub database: Option<String>,
}

/// Why restore points could not be looked up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// The server could not be asked.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The folder could not be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// There is no such restore point.
    #[error("there is no restore point {id}; `vab list` shows those that are there")]
    NoSuchPoint {
        /// What was asked for.
        id: PointId,
    },
}

impl Catalog {
    /// The backup manager at `address` (`host:port`), without TLS.
    ///
    /// # Errors
    /// When nobody of ours answers there.
    pub async fn server(address: &str) -> Result<Self, CatalogError> {
        Self::server_with(address, &ConnectOptions::default()).await
    }

    /// The backup manager at `address` (`host:port`).
    ///
    /// # Errors
    /// When nobody of ours answers there, or the two do not trust each other.
    pub async fn server_with(
        address: &str,
        options: &ConnectOptions,
    ) -> Result<Self, CatalogError> {
        let server = server::Server::connect(address, options).await?;
        Ok(Self(Inner::Server(server)))
    }

    /// The backup manager that `source` is connected to.
    pub(crate) fn over(source: Source) -> Self {
        Self(Inner::Server(server::Server::over(source)))
    }

    /// The repository in `folder`, read beside a server that may run on it.
    ///
    /// # Errors
    /// When there is no repository.
    pub fn folder(folder: &Path) -> Result<Self, CatalogError> {
        Ok(Self(Inner::Folder(folder::Folder::open(folder)?)))
    }

    /// The restore points that `filter` lets through.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn points(&self, filter: &Filter) -> Result<Vec<PointInfo>, CatalogError> {
        match &self.0 {
            Inner::Server(server) => Ok(server.points(filter).await?),
            Inner::Folder(folder) => Ok(folder.points(filter)),
        }
    }

    /// One restore point.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn point(&self, id: PointId) -> Result<PointInfo, CatalogError> {
        let points = self.points(&Filter::default()).await?;
        points
            .into_iter()
            .find(|point| point.id == id)
            .ok_or(CatalogError::NoSuchPoint { id })
    }

    /// Opens the streams of a restore point.
    pub(crate) async fn open(
        &self,
        id: PointId,
        secrets: &Secrets,
    ) -> Result<OpenPoint, CatalogError> {
        match &self.0 {
            Inner::Server(server) => Ok(OpenPoint {
                session: server.open(id, secrets).await?,
                target: None,
            }),
            Inner::Folder(folder) => {
                let (session, target) = folder.open_point(id, secrets).await?;
                Ok(OpenPoint {
                    session,
                    target: Some(target),
                })
            }
        }
    }
}

/// The streams of a restore point, and what has to live as long as they do.
pub(crate) struct OpenPoint {
    pub(crate) session: RestoreSession,
    pub(crate) target: Option<folder::Target>,
}
