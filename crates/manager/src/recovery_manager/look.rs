//! Lets an engine look at a restore point without restoring it.

use std::sync::Arc;

use vab_chain::PointId;
use vab_engine::{Engine, Look, LookRequest, Looked};
use vab_mover::Secrets;
use vab_vdi::memory::Hub;

use super::ends::Ends;
use super::give::{GiveError, give};
use super::manner::{Checksums, Manner};
use crate::catalog::Catalog;
use crate::observer::Observer;

/// Why an engine did not look at a restore point, or what it has against it.
pub type LookError = GiveError<vab_engine::RestoreError>;

/// A look at one restore point by the engine that would restore it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LookAt {
    /// The restore point.
    pub point: PointId,
    /// At what of it.
    pub look: Look,
    /// How the engine reads its streams.
    pub manner: Manner,
    /// What opens the restore point, if it is encrypted.
    pub secrets: Secrets,
}

impl LookAt {
    /// A look at a restore point.
    pub fn new(point: PointId, look: Look) -> Self {
        Self {
            point,
            look,
            manner: Manner::default(),
            secrets: Secrets::default(),
        }
    }

    /// Gives the streams of the restore point to `engine` through virtual devices, as a restore
    /// would, and returns what it says. Nothing is restored.
    ///
    /// # Errors
    /// When the point is not there, or the engine cannot look or refuses what it sees.
    pub async fn run(
        &self,
        catalog: &Catalog,
        engine: Arc<dyn Engine>,
        observer: &Observer,
    ) -> Result<Looked, LookError> {
        let point = catalog
            .point(self.point)
            .await
            .map_err(GiveError::Catalog)?;
        let kind = point
            .kind
            .map_or_else(|| "backup".to_owned(), |kind| kind.to_string());
        let title = format!("{kind} of {}", point.database);
        let ends = Ends::of(&engine, &Hub::new()).await?;
        let mut request = LookRequest::new(self.look, Vec::new());
        request.geometry = self.manner.geometry;
        request.checksum = self.manner.checksums == Checksums::Demanded;
        request.cancel = ends.cancel.clone();
        let from = (catalog, &self.secrets);
        give(from, &point, title, observer, ends, move |devices, hub| {
            request.devices = devices;
            engine.look(&request, hub)
        })
        .await
    }
}
