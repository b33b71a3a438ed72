//! Reading everything back.
//!
//! For each restore point: its commit record, its index, every block with every checksum, that
//! its records cover its part of the file without a gap, and that its streams add up to what the
//! source counted. For each file: header, `.VASM` and `.VACM` against each other.

mod chains;
mod file;
mod report;
mod session;

use vab_chain::{PointId, UtcTime};

pub use report::{FileFinding, FileReport, Finding, PointReport, Severity, VerifyReport};

use crate::point::StoredPoint;
use crate::repository::Repository;
use crate::storage::StorageError;

/// What is read back.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct VerifyOptions {
    /// Only restore points of this job.
    pub job: Option<String>,
    /// Only restore points of this database.
    pub database: Option<String>,
    /// Only these restore points, when there are any.
    pub points: Vec<PointId>,
    /// Only restore points committed at this time or later, on the repository's clock.
    pub since: Option<UtcTime>,
    /// Only every n-th block of each stream, and then without the checksum over whole streams.
    /// 0 and 1 read all.
    pub sample: u64,
}

/// What is being done, for a progress display.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum VerifyEvent<'a> {
    /// A restore point is begun.
    Point {
        /// The restore point.
        point: &'a StoredPoint,
        /// Its number, from 1.
        number: usize,
        /// How many are read.
        of: usize,
    },
    /// So many bytes of the current restore point were read since the last event.
    Read {
        /// Bytes.
        bytes: u64,
    },
    /// A restore point is done.
    Done {
        /// What was found in its bytes; its state in the chain is known at the end only.
        report: &'a PointReport,
    },
}

impl VerifyOptions {
    fn wants(&self, point: &StoredPoint) -> bool {
        self.job.as_ref().is_none_or(|job| *job == point.job)
            && self
                .database
                .as_ref()
                .is_none_or(|database| *database == point.database)
            && (self.points.is_empty() || self.points.contains(&point.id))
            && self.since.is_none_or(|since| point.committed >= since)
    }
}

impl Repository {
    /// Reads back restore points and metadata, and says of each whether it is whole.
    ///
    /// Damage is in the report, not an error; so are restore points on files that cannot be read.
    ///
    /// # Errors
    /// When the repository itself cannot be listed.
    pub fn verify(
        &self,
        options: &VerifyOptions,
        mut events: impl FnMut(VerifyEvent<'_>),
    ) -> Result<VerifyReport, StorageError> {
        let files = file::check_all(self)?;
        let points: Vec<_> = self
            .points(None, None)
            .into_iter()
            .filter(|point| options.wants(point))
            .collect();
        let of = points.len();
        let mut reports = Vec::with_capacity(of);
        for (number, point) in (1..).zip(points) {
            events(VerifyEvent::Point {
                point: &point,
                number,
                of,
            });
            let report = session::check(self, point, options.sample, &mut events);
            events(VerifyEvent::Done { report: &report });
            reports.push(report);
        }
        chains::judge(self, &mut reports);
        Ok(VerifyReport {
            points: reports,
            files,
        })
    }
}
