//! Reads a repository back and says, per restore point, whether it is whole.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use vab_chain::PointId;
use vab_repository::verify::{PointReport, Severity, VerifyEvent, VerifyOptions};

use crate::catalog::{FolderError, open_to_read};
use crate::listing;
use crate::observer::{Happening, Observer};
use crate::point::PointInfo;

/// Why a repository could not be read back at all. Damage is no error; it is in the report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// There is no repository.
    #[error(transparent)]
    Open(#[from] FolderError),
    /// It could not be listed.
    #[error(transparent)]
    Storage(#[from] vab_repository::storage::StorageError),
}

/// What was found. Its JSON form is stable: fields are added, never changed.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Verification {
    /// The worst finding: `whole`, `note` (nothing at risk), `degraded` (metadata to be made anew),
    /// `damaged` (a restore point is not what was written).
    pub worst: &'static str,
    /// Each restore point that was read.
    pub points: Vec<VerifiedPoint>,
    /// Files with findings of their own.
    pub files: Vec<VerifiedFile>,
    /// Bytes that were read back.
    pub bytes: u64,
}

/// One restore point, read back.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct VerifiedPoint {
    /// Its identity.
    pub id: PointId,
    /// The job that made it.
    pub job: String,
    /// The database.
    pub database: String,
    /// `full`, `diff`, `log` or `unknown`.
    pub kind: String,
    /// The `.VAB` it lies in, relative to the repository.
    pub file: String,
    /// Whether every byte of it is as it was written.
    pub whole: bool,
    /// What is wrong with it.
    pub findings: Vec<String>,
    /// Whether the chain leads to it: `restorable`, `base missing`, `log gap`, ….
    pub state: String,
    /// What is in the way, where the chain does not lead to it.
    pub reason: Option<String>,
}

/// A file with findings.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct VerifiedFile {
    /// The file, relative to the repository.
    pub file: String,
    /// What is wrong with it.
    pub findings: Vec<String>,
}

impl Verification {
    /// Whether every restore point that was read is whole.
    pub fn is_whole(&self) -> bool {
        self.points.iter().all(|point| point.whole)
    }
}

/// Reads back every restore point of the repository in `folder`.
///
/// # Errors
/// When there is no repository, or it cannot be listed.
pub fn verify(
    folder: &Path,
    options: &VerifyOptions,
    observer: &Observer,
) -> Result<Verification, VerifyError> {
    let repository = open_to_read(folder)?;
    let points: Vec<_> = repository
        .points(None, None)
        .iter()
        .map(PointInfo::from)
        .collect();
    let states: BTreeMap<_, _> = listing::rows(&points)
        .into_iter()
        .map(|row| (row.id, (row.state, row.reason)))
        .collect();
    let mut read = 0;
    let report = repository.verify(options, |event| match event {
        VerifyEvent::Point { point, .. } => {
            read = 0;
            let kind = point
                .kind()
                .map_or_else(|| "backup".to_owned(), |kind| kind.to_string());
            let title = format!("{kind} of {}", point.database);
            observer.tell(Happening::Begins {
                title,
                bytes: Some(point.stored_bytes),
            });
        }
        VerifyEvent::Read { bytes } => {
            read += bytes;
            observer.tell(Happening::Moved { bytes: read });
        }
        VerifyEvent::Done { .. } => observer.tell(Happening::Ends),
        _ => {}
    })?;
    Ok(Verification {
        worst: word(report.worst()),
        bytes: report.bytes(),
        points: report
            .points
            .iter()
            .map(|point| {
                verified(
                    point,
                    states.get(&point.point.id).cloned().unwrap_or_default(),
                )
            })
            .collect(),
        files: report
            .files
            .iter()
            .filter(|file| !file.findings.is_empty())
            .map(|file| VerifiedFile {
                file: file.file.to_string(),
                findings: file.findings.iter().map(ToString::to_string).collect(),
            })
            .collect(),
    })
}

fn verified(report: &PointReport, (state, reason): (String, Option<String>)) -> VerifiedPoint {
    let point = &report.point;
    let mut findings: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
    if report.more > 0 {
        findings.push(format!("and {} findings more", report.more));
    }
    VerifiedPoint {
        id: point.id,
        job: point.job.clone(),
        database: point.database.clone(),
        kind: point
            .kind()
            .map_or_else(|| "unknown".to_owned(), |kind| kind.to_string()),
        file: point.file.to_string(),
        whole: report.is_whole(),
        findings,
        state,
        reason,
    }
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Clean => "whole",
        Severity::Note => "note",
        Severity::Degraded => "degraded",
        _ => "damaged",
    }
}
