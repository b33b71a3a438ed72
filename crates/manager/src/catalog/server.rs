//! Restore points of a running backup manager.

use vab_chain::PointId;
use vab_mover::source::RestoreSession;
use vab_mover::{Secrets, Source};

use super::Filter;
use crate::message::{self, OpenRestore, PointsPage, Query};
use crate::point::PointInfo;
use crate::server::{AskError, ConnectError, ConnectOptions, connect};

/// Why a server's restore points could not be looked up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// Nobody of ours answers.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// It was not answered.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The streams of a restore point could not be opened.
    #[error("the restore point cannot be opened")]
    Open(#[from] vab_mover::source::RestoreError),
}

#[derive(Debug)]
pub(super) struct Server(Source);

impl Server {
    pub(super) fn over(source: Source) -> Self {
        Self(source)
    }

    pub(super) async fn connect(
        address: &str,
        options: &ConnectOptions,
    ) -> Result<Self, ServerError> {
        Ok(Self(connect(address, options).await?))
    }

    pub(super) async fn points(&self, filter: &Filter) -> Result<Vec<PointInfo>, ServerError> {
        let mut points: Vec<PointInfo> = Vec::new();
        loop {
            let query = Query::Points {
                job: filter.job.clone(),
                database: filter.database.clone(),
                after: points.last().map(|point| point.id),
            };
            let answer = self
                .0
                .query(message::encode(&query))
                .await
                .map_err(AskError::from)?;
            let page: PointsPage =
                message::decode(&answer, "page of restore points").map_err(AskError::from)?;
            let empty = page.points.is_empty();
            points.extend(page.points);
            if !page.more || empty {
                return Ok(points);
            }
        }
    }

    pub(super) async fn open(
        &self,
        point: PointId,
        secrets: &Secrets,
    ) -> Result<RestoreSession, ServerError> {
        Ok(self
            .0
            .open_restore_with(message::encode(&OpenRestore { point }), secrets)
            .await?)
    }
}
