//! How a run ended as a whole.

use std::fmt;

use serde::Serialize;

use super::failure::FailureClass;
use super::guard::{Decision, Skip};
use super::report::{DatabaseReport, DatabaseResult};

/// How a run ended, in one word for whoever started it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunOutcome {
    /// Every database that could have a backup has one.
    Success,
    /// Some databases have a backup, others failed.
    Partial,
    /// No database needed or could have a backup.
    NothingToDo,
    /// Nothing was done because another replica is the preferred one.
    NotPreferred,
    /// Every database failed.
    Failed,
    /// Every database failed because its chain is broken and the policy forbids another backup.
    ChainBroken,
    /// Every database failed because the repository has no space.
    RepositoryFull,
    /// Every database failed because the engine or the repository says no.
    Refused,
    /// The run was ended from outside.
    Cancelled,
}

impl RunOutcome {
    /// From the results of all databases.
    pub fn of(databases: &[DatabaseReport]) -> Self {
        let mut done = false;
        let mut failed: Vec<FailureClass> = Vec::new();
        let mut not_preferred = false;
        for database in databases {
            match &database.result {
                DatabaseResult::Cancelled => return Self::Cancelled,
                DatabaseResult::Done => done = true,
                DatabaseResult::Failed(failure) => failed.push(failure.class),
                DatabaseResult::Skipped => {
                    let skip = Some(Decision::Skip(Skip::NotPreferred));
                    not_preferred |= database.decision == skip;
                }
            }
        }
        match (done, failed.split_first()) {
            (true, None) => Self::Success,
            (true, Some(_)) => Self::Partial,
            (false, None) if not_preferred => Self::NotPreferred,
            (false, None) => Self::NothingToDo,
            (false, Some((class, others))) => {
                let alike = others.iter().all(|other| other == class);
                match class {
                    FailureClass::ChainBroken if alike => Self::ChainBroken,
                    FailureClass::RepositoryFull if alike => Self::RepositoryFull,
                    FailureClass::Refused if alike => Self::Refused,
                    _ => Self::Failed,
                }
            }
        }
    }
}

impl fmt::Display for RunOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Success => "success",
            Self::Partial => "partial: some databases failed",
            Self::NothingToDo => "nothing to do",
            Self::NotPreferred => "nothing done: another replica is the preferred one",
            Self::Failed => "failed",
            Self::ChainBroken => "failed: the chain is broken",
            Self::RepositoryFull => "failed: the repository is full",
            Self::Refused => "failed: refused",
            Self::Cancelled => "cancelled",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::failure::Failure;
    use super::*;

    fn reports(results: impl IntoIterator<Item = DatabaseResult>) -> Vec<DatabaseReport> {
        let report = |result| DatabaseReport {
            result,
            ..DatabaseReport::new("Sales")
        };
        results.into_iter().map(report).collect()
    }

    fn failed(class: FailureClass) -> DatabaseResult {
        DatabaseResult::Failed(Failure::words(class, "words"))
    }

    fn outcome(results: impl IntoIterator<Item = DatabaseResult>) -> RunOutcome {
        RunOutcome::of(&reports(results))
    }

    #[test]
    fn skipped_databases_do_not_spoil_a_success() {
        use DatabaseResult::{Done, Skipped};
        assert_eq!(outcome([Done, Skipped]), RunOutcome::Success);
        assert_eq!(outcome([Skipped, Skipped]), RunOutcome::NothingToDo);
        assert_eq!(outcome([]), RunOutcome::NothingToDo);
    }

    #[test]
    fn one_failure_beside_a_success_is_partial() {
        let full = failed(FailureClass::RepositoryFull);
        assert_eq!(outcome([DatabaseResult::Done, full]), RunOutcome::Partial);
    }

    #[test]
    fn a_cause_that_all_share_is_named() {
        use FailureClass::{ChainBroken, Failed, Refused, RepositoryFull};
        for (class, expected) in [
            (Failed, RunOutcome::Failed),
            (ChainBroken, RunOutcome::ChainBroken),
            (RepositoryFull, RunOutcome::RepositoryFull),
            (Refused, RunOutcome::Refused),
        ] {
            assert_eq!(outcome([failed(class), failed(class)]), expected);
        }
        assert_eq!(
            outcome([failed(Refused), failed(ChainBroken)]),
            RunOutcome::Failed
        );
    }

    #[test]
    fn another_replica_is_told_apart_from_nothing_to_do() {
        let mut report = DatabaseReport::new("Sales");
        report.result = DatabaseResult::Skipped;
        report.decision = Some(Decision::Skip(Skip::NotPreferred));
        assert_eq!(RunOutcome::of(&[report]), RunOutcome::NotPreferred);
    }

    #[test]
    fn a_run_that_was_ended_says_so_whatever_was_done() {
        use DatabaseResult::{Cancelled, Done};
        assert_eq!(outcome([Done, Cancelled]), RunOutcome::Cancelled);
    }
}
