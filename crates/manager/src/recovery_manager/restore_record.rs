//! What became of a restore, for a program or a log file.

use serde::Serialize;
use vab_chain::{BackupKind, PointId, ServerTime, UtcTime};
use vab_engine::{DatabaseState, StopOutcome};

use super::give::GiveError;
use super::restore::{Restore, RestoreError, RestoreReport};
use crate::point::PointInfo;

/// The version of the JSON form.
const VERSION: u32 = 1;

/// What became of a restore. Its JSON form is stable: fields are added, never changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RestoreRecord {
    /// Of the JSON form.
    pub version: u32,
    /// How it ended.
    pub outcome: RestoreOutcome,
    /// The database that was backed up.
    pub database: String,
    /// The name it was restored under.
    pub restored_as: String,
    /// When it began, on this machine's clock.
    pub started: UtcTime,
    /// When it ended, on this machine's clock.
    pub finished: UtcTime,
    /// The tail of the log that was backed up first.
    pub tail: Option<PointInfo>,
    /// The steps that were taken; empty when it did not come to the end.
    pub steps: Vec<RestoredStep>,
    /// What a person should know about the plan.
    pub notes: Vec<String>,
    /// How the database stands; `None` when it did not come to the end.
    pub state: Option<DatabaseState>,
    /// Whether the moment that was asked for was reached; `None` when none was asked for.
    pub reached_stop: Option<bool>,
    /// The last change that was applied, on the server's clock, where the engine says it.
    pub reached: Option<ServerTime>,
    /// What went wrong, with its causes.
    pub error: Option<String>,
}

/// How a restore ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RestoreOutcome {
    /// The database was restored.
    Success,
    /// The moment cannot be reached; nothing was done.
    Unreachable,
    /// The engine, or the care for what is there, says no.
    Refused,
    /// Something went wrong.
    Failed,
    /// It was stopped.
    Cancelled,
}

/// One step that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RestoredStep {
    /// What was restored.
    pub kind: BackupKind,
    /// The restore point.
    pub point: PointId,
    /// The `.VAB` it lies in, relative to the repository.
    pub file: Option<String>,
    /// Where rolling forward was told to stop.
    pub stop: Option<String>,
}

impl RestoreRecord {
    /// A restore that was stopped before its end.
    pub fn cancelled(restore: &Restore, (started, finished): (UtcTime, UtcTime)) -> Self {
        Self {
            version: VERSION,
            outcome: RestoreOutcome::Cancelled,
            database: restore.database.clone(),
            restored_as: restore.name.as_ref().unwrap_or(&restore.database).clone(),
            started,
            finished,
            tail: None,
            steps: Vec::new(),
            notes: Vec::new(),
            state: None,
            reached_stop: None,
            reached: None,
            error: None,
        }
    }

    /// One that came to its end, well or not.
    pub fn of(
        restore: &Restore,
        ended: &Result<RestoreReport, RestoreError>,
        times: (UtcTime, UtcTime),
    ) -> Self {
        let mut record = Self::cancelled(restore, times);
        match ended {
            Ok(report) => record.done(report),
            Err(error) => {
                record.outcome = error.outcome();
                record.error = Some(crate::with_causes(error));
            }
        }
        record
    }

    fn done(&mut self, report: &RestoreReport) {
        self.outcome = RestoreOutcome::Success;
        self.notes = report.plan.notes.iter().map(ToString::to_string).collect();
        self.state = Some(report.last.state);
        self.reached_stop = match report.last.stop {
            StopOutcome::NotAsked => None,
            stop => Some(stop == StopOutcome::Reached),
        };
        self.reached = report.last.reached;
        let steps = report.plan.steps.iter();
        self.steps = steps
            .map(|step| RestoredStep {
                kind: step.kind,
                point: step.point,
                file: report
                    .points
                    .iter()
                    .find(|point| point.id == step.point)
                    .map(|point| point.file.clone()),
                stop: step.stop_at.as_ref().map(ToString::to_string),
            })
            .collect();
    }

    /// The form for a file: one JSON object.
    pub fn to_json(&self) -> String {
        // Plain data with string keys: writing it to memory cannot fail.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

impl RestoreError {
    /// How a restore with this error ended.
    pub fn outcome(&self) -> RestoreOutcome {
        match self {
            Self::Unreachable { .. } => RestoreOutcome::Unreachable,
            Self::Exists(_) | Self::NoFiles => RestoreOutcome::Refused,
            Self::Step { error, .. } => match error.as_ref() {
                GiveError::Statement(error) if error.refusal().is_some() => RestoreOutcome::Refused,
                _ => RestoreOutcome::Failed,
            },
            _ => RestoreOutcome::Failed,
        }
    }
}
