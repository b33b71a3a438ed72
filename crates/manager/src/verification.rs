//! Reads a repository back and says, per restore point, whether it is whole.

use std::path::Path;

use serde::Serialize;
use vab_chain::PointId;
use vab_repository::verify::{PointReport, Severity, VerifyEvent, VerifyOptions};

use crate::catalog::{FolderError, open_to_read};
use crate::listing;
use crate::observer::{Happening, Observer};

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
    /// `unreachable` (what a restore point builds on is damaged or not there), `damaged` (a restore
    /// point is not what was written).
    pub worst: &'static str,
    /// Each restore point that was read.
    pub points: Vec<VerifiedPoint>,
    /// Files with findings of their own.
    pub files: Vec<VerifiedFile>,
    /// Bytes that were read back.
    pub bytes: u64,
    #[serde(skip)]
    severity: Severity,
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
    /// Whether the chain leads to it, past every restore point that was found damaged:
    /// `restorable`, `damaged`, `base missing`, `base damaged`, `log gap`, ….
    pub state: String,
    /// What is in the way, where the chain does not lead to it.
    pub reason: Option<String>,
    #[serde(skip)]
    severity: Severity,
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
    /// Whether every restore point that was read is whole, every file with restore points is
    /// there, and a database can be restored to each of them. One whose LSNs are not known counts
    /// as that.
    pub fn is_restorable(&self) -> bool {
        self.severity < Severity::Unreachable
    }

    /// Restore points that are not whole.
    pub fn damaged(&self) -> impl Iterator<Item = &VerifiedPoint> {
        self.points.iter().filter(|point| !point.whole)
    }

    /// Restore points that are whole, and that no restore leads to.
    pub fn unreachable(&self) -> impl Iterator<Item = &VerifiedPoint> {
        let points = self.points.iter();
        points.filter(|point| point.severity == Severity::Unreachable)
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
        severity: report.worst(),
        bytes: report.bytes(),
        points: report.points.iter().map(verified).collect(),
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

fn verified(report: &PointReport) -> VerifiedPoint {
    let point = &report.point;
    let (state, reason) = listing::state_of(report.state.as_ref());
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
        severity: report.severity(),
    }
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Clean => "whole",
        Severity::Note => "note",
        Severity::Degraded => "degraded",
        Severity::Unreachable => "unreachable",
        _ => "damaged",
    }
}
