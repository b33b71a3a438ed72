//! What a run did, for people and programs.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use vab_chain::UtcTime;
use vab_engine::LegalKind;

use super::budget::Budget;
use super::failure::Failure;
use super::guard::Decision;
use super::outcome::RunOutcome;
use crate::point::PointInfo;

/// What a run did. Its JSON form is stable: fields are added, never changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RunReport {
    /// The version of this form.
    pub version: u32,
    /// The job.
    pub job: String,
    /// What was wanted of every database.
    pub wanted: LegalKind,
    /// When the run began, on this machine's clock.
    pub started: UtcTime,
    /// When it ended, on this machine's clock.
    pub finished: UtcTime,
    /// The time between the two, in seconds.
    pub seconds: f64,
    /// How it ended as a whole.
    pub outcome: RunOutcome,
    /// The streams that were allowed at once.
    pub budget: Budget,
    /// The number of databases by result, and what was moved.
    pub totals: Totals,
    /// One entry for each database, by name.
    pub databases: Vec<DatabaseReport>,
    /// What else is worth knowing, in sentences.
    pub notes: Vec<String>,
}

/// The sums of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Totals {
    /// Databases that have a new restore point.
    pub done: usize,
    /// Databases that were left alone.
    pub skipped: usize,
    /// Databases that failed.
    pub failed: usize,
    /// Databases whose backup was ended from outside, or did not begin.
    pub cancelled: usize,
    /// Bytes as the engine produced them.
    pub bytes: u64,
    /// Bytes as stored.
    pub stored_bytes: u64,
}

/// What a run did about one database.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DatabaseReport {
    /// The database.
    pub database: String,
    /// How it ended.
    #[serde(flatten)]
    pub result: DatabaseResult,
    /// The last decision; `None` when none could be taken.
    #[serde(serialize_with = "with_reason")]
    pub decision: Option<Decision>,
    /// The streams of the last try; 0 when nothing was tried.
    pub streams: u16,
    /// When the first try began, on this machine's clock.
    pub started: Option<UtcTime>,
    /// When the last try ended, on this machine's clock.
    pub finished: Option<UtcTime>,
    /// The time between the two, in seconds, with the waits between the tries.
    pub seconds: Option<f64>,
    /// Every try, in order.
    pub tries: Vec<Try>,
    /// The restore points that were made. More than one only where the first did not connect,
    /// because somebody else took a backup at the same time.
    pub points: Vec<PointInfo>,
}

/// How it ended for a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "result", content = "failure", rename_all = "snake_case")]
pub enum DatabaseResult {
    /// It has a new restore point.
    Done,
    /// It was left alone; the decision says why.
    Skipped,
    /// It has no new restore point.
    Failed(Failure),
    /// Its backup was ended from outside, or did not begin.
    Cancelled,
}

/// One try to back up a database.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Try {
    /// When it began, on this machine's clock.
    pub started: UtcTime,
    /// When it ended, on this machine's clock.
    pub finished: UtcTime,
    /// The decision of this try; `None` when none could be taken.
    #[serde(serialize_with = "with_reason")]
    pub decision: Option<Decision>,
    /// The streams it had.
    pub streams: u16,
    /// Why it failed; `None` when it did not.
    pub error: Option<String>,
}

impl DatabaseReport {
    /// A database about which nothing was done.
    pub(super) fn new(database: impl Into<String>) -> Self {
        Self {
            database: database.into(),
            result: DatabaseResult::Cancelled,
            decision: None,
            streams: 0,
            started: None,
            finished: None,
            seconds: None,
            tries: Vec::new(),
            points: Vec::new(),
        }
    }
}

impl RunReport {
    /// The form for a file: one JSON object.
    pub fn to_json(&self) -> String {
        // Plain data with string keys: writing it to memory cannot fail.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

impl Totals {
    /// Of these databases.
    pub fn of(databases: &[DatabaseReport]) -> Self {
        let mut totals = Self::default();
        for database in databases {
            match database.result {
                DatabaseResult::Done => totals.done += 1,
                DatabaseResult::Skipped => totals.skipped += 1,
                DatabaseResult::Failed(_) => totals.failed += 1,
                DatabaseResult::Cancelled => totals.cancelled += 1,
            }
            for point in &database.points {
                totals.bytes = totals.bytes.saturating_add(point.bytes);
                totals.stored_bytes = totals.stored_bytes.saturating_add(point.stored_bytes);
            }
        }
        totals
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds of a run have far less than 53 bits"
)]
pub(super) fn seconds(from: UtcTime, to: UtcTime) -> f64 {
    to.micros_since(from) as f64 / 1e6
}

/// The decision as a value, and in words beside it.
#[expect(clippy::ref_option, reason = "serde hands the field over like this")]
fn with_reason<S: Serializer>(
    decision: &Option<Decision>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let Some(decision) = decision else {
        return serializer.serialize_none();
    };
    let mut map = serializer.serialize_map(Some(3))?;
    map.serialize_entry("take", &decision.take())?;
    map.serialize_entry("reason", &decision.to_string())?;
    map.serialize_entry("detail", decision)?;
    map.end()
}
