//! Writes one restore point as native files.

use std::path::PathBuf;

use vab_chain::PointId;
use vab_engine::bak::{self, Existing, ExportRequest, ExportedFile};
use vab_mover::Secrets;
use vab_vdi::memory::Hub;

use super::ends::Ends;
use super::give::{GiveError, give};
use crate::catalog::Catalog;
use crate::observer::Observer;

/// Why a restore point was not written to files.
pub type ExportError = GiveError<bak::ExportError>;

/// Which restore point to write, and where.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Export {
    /// The restore point.
    pub point: PointId,
    /// The folder that receives one file for each stream; created where it is missing.
    pub folder: PathBuf,
    /// Replace files of the same names.
    pub overwrite: bool,
    /// What opens the restore point, if it is encrypted.
    pub secrets: Secrets,
}

impl Export {
    /// Writes `point` into `folder`, where no file of those names may be.
    pub fn new(point: PointId, folder: PathBuf) -> Self {
        Self {
            point,
            folder,
            overwrite: false,
            secrets: Secrets::default(),
        }
    }

    /// Reads the streams through virtual devices and writes the files; they appear under their
    /// names only when all of them are whole and durable.
    ///
    /// # Errors
    /// When the point is not there or not whole, or a file cannot be written. Nothing is left of
    /// what was written then.
    pub async fn run(
        &self,
        catalog: &Catalog,
        observer: &Observer,
    ) -> Result<Vec<ExportedFile>, ExportError> {
        let point = catalog
            .point(self.point)
            .await
            .map_err(GiveError::Catalog)?;
        let kind = point
            .kind
            .map_or_else(|| "backup".to_owned(), |kind| kind.to_string());
        let names = bak::file_names(point.set.as_ref(), &point.names, point.streams);
        let folder = self.folder.clone();
        let existing = if self.overwrite {
            Existing::Replace
        } else {
            Existing::Refuse
        };
        let title = format!("{kind} of {}", point.database);
        let from = (catalog, &self.secrets);
        let ends = Ends::here(&Hub::new());
        let exported = give(from, &point, title, observer, ends, move |devices, hub| {
            let mut request = ExportRequest::new(devices, folder, names);
            request.existing = existing;
            bak::export(&request, hub)
        })
        .await?;
        Ok(exported.files)
    }
}
