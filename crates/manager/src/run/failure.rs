//! What kind of failure an error is, and whether trying again can help.

use std::error::Error;

use serde::Serialize;
use vab_engine::ErrorClass;
use vab_mover::RefusalKind;
use vab_mover::proto::Failure as MoverFailure;
use vab_mover::source::{CommitError, ConnectError};

use super::guard::Obstacle;
use crate::catalog::{CatalogError, ServerError};
use crate::engines::EngineAddressError;
use crate::recovery_manager::{BackupError, TakeError};
use crate::server::AskError;
use crate::with_causes;

/// What kind of failure it is: what an administrator has to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureClass {
    /// Something went wrong.
    Failed,
    /// The backup would not connect to those that are there, and the policy forbids another.
    ChainBroken,
    /// The repository has no space.
    RepositoryFull,
    /// The engine or the repository says no.
    Refused,
}

/// Whether trying again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Again {
    /// Somebody has to change something first.
    No,
    /// It may go away. There is no restore point, and there will be none of this try.
    Later,
    /// Whether there is a restore point is not known: only the repository can say.
    InDoubt,
}

/// Why there is no backup of a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct Failure {
    /// What kind of failure.
    pub class: FailureClass,
    /// What happened, with its causes, and what to do next.
    pub message: String,
    #[serde(skip)]
    pub(super) again: Again,
}

impl Failure {
    pub(super) fn new(class: FailureClass, again: Again, error: &dyn Error) -> Self {
        Self {
            class,
            message: with_causes(error),
            again,
        }
    }

    pub(super) fn words(class: FailureClass, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
            again: Again::No,
        }
    }

    /// Whether trying again can help.
    pub fn is_transient(&self) -> bool {
        self.again == Again::Later
    }
}

impl From<&BackupError> for Failure {
    fn from(error: &BackupError) -> Self {
        let (class, again) = match error {
            TakeError::Statement(error) => {
                let class = match error.refusal() {
                    Some(_) => FailureClass::Refused,
                    None => FailureClass::Failed,
                };
                (class, again(error.class()))
            }
            TakeError::Mover(vab_mover::source::BackupError::Connect(error)) => {
                (FailureClass::Failed, again_to_connect(error))
            }
            TakeError::Mover(vab_mover::source::BackupError::Failed(failure)) => {
                of_session(failure)
            }
            // From here on a restore point may be there, or still come.
            TakeError::Commit(CommitError::Failed(failure)) => match of_session(failure) {
                (class, Again::Later) => (class, Again::InDoubt),
                decided => decided,
            },
            // It was stored; only the answer is strange.
            TakeError::Receipt(_) => (FailureClass::Failed, Again::InDoubt),
            _ => (FailureClass::Failed, Again::No),
        };
        Self::new(class, again, error)
    }
}

impl From<&CatalogError> for Failure {
    fn from(error: &CatalogError) -> Self {
        let again = match error {
            CatalogError::Server(ServerError::Connect(error)) => again_to_connect(error),
            CatalogError::Server(ServerError::Ask(AskError::Query(error))) => {
                use vab_mover::source::QueryError;
                match error {
                    QueryError::Connect(error) => again_to_connect(error),
                    QueryError::Refused(refusal) => again_after(refusal.kind),
                    QueryError::Lost { .. } | QueryError::TimedOut { .. } => Again::Later,
                    _ => Again::No,
                }
            }
            _ => Again::No,
        };
        Self::new(FailureClass::Failed, again, error)
    }
}

impl From<&vab_engine::EngineError> for Failure {
    fn from(error: &vab_engine::EngineError) -> Self {
        Self::new(FailureClass::Failed, again(error.class()), error)
    }
}

impl From<&EngineAddressError> for Failure {
    fn from(error: &EngineAddressError) -> Self {
        let again = match error {
            #[cfg(feature = "mssql")]
            EngineAddressError::Mssql { error, .. } => again(error.class()),
            _ => Again::No,
        };
        Self::new(FailureClass::Failed, again, error)
    }
}

impl From<&ConnectError> for Failure {
    fn from(error: &ConnectError) -> Self {
        Self::new(FailureClass::Failed, again_to_connect(error), error)
    }
}

impl From<Obstacle> for Failure {
    fn from(obstacle: Obstacle) -> Self {
        let (class, again) = match obstacle {
            Obstacle::Unusable {
                state: vab_engine::DatabaseState::Recovering,
            } => (FailureClass::Failed, Again::Later),
            Obstacle::Unusable { .. } => (FailureClass::Failed, Again::No),
            Obstacle::BrokenChain { .. } => (FailureClass::ChainBroken, Again::No),
        };
        Self {
            class,
            message: obstacle.to_string(),
            again,
        }
    }
}

const fn again(class: ErrorClass) -> Again {
    match class {
        ErrorClass::Retry => Again::Later,
        ErrorClass::Permanent => Again::No,
    }
}

fn again_to_connect(error: &ConnectError) -> Again {
    match error {
        ConnectError::Unreachable { .. }
        | ConnectError::TimedOut { .. }
        | ConnectError::Closed { .. } => Again::Later,
        _ => Again::No,
    }
}

const fn again_after(refusal: RefusalKind) -> Again {
    match refusal {
        // After a restart of the server: what was not committed is gone.
        RefusalKind::Busy | RefusalKind::ShuttingDown | RefusalKind::UnknownSession => Again::Later,
        _ => Again::No,
    }
}

fn of_session(failure: &MoverFailure) -> (FailureClass, Again) {
    match failure {
        MoverFailure::Refused(refusal) => {
            let class = match refusal.kind {
                RefusalKind::Full => FailureClass::RepositoryFull,
                RefusalKind::Failed | RefusalKind::Busy | RefusalKind::ShuttingDown => {
                    FailureClass::Failed
                }
                RefusalKind::UnknownSession => FailureClass::Failed,
                _ => FailureClass::Refused,
            };
            (class, again_after(refusal.kind))
        }
        MoverFailure::ByTarget { reason } if is_full(reason) => {
            (FailureClass::RepositoryFull, Again::No)
        }
        MoverFailure::LostBeforeBegin { .. } | MoverFailure::GaveUp { .. } => {
            (FailureClass::Failed, Again::Later)
        }
        MoverFailure::CommitInDoubt { .. } => (FailureClass::Failed, Again::InDoubt),
        _ => (FailureClass::Failed, Again::No),
    }
}

/// A session that the target ends comes with the words of its `StoreError` only.
fn is_full(reason: &str) -> bool {
    reason.contains("the repository is full")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use vab_engine::Refusal;
    use vab_mover::StoreError;

    use super::*;

    fn mover(failure: MoverFailure) -> Failure {
        Failure::from(&TakeError::Mover(failure.into()))
    }

    fn refused(kind: RefusalKind) -> Failure {
        mover(MoverFailure::Refused(vab_mover::Refusal::new(
            kind, "words",
        )))
    }

    fn statement(refusal: Refusal) -> Failure {
        Failure::from(&TakeError::Statement(refusal.into()))
    }

    #[test]
    fn an_engine_that_is_busy_is_asked_again() {
        let database = "Sales".to_owned();
        let failure = statement(Refusal::Busy { database });
        assert!(failure.is_transient());
        assert_eq!(failure.class, FailureClass::Refused);
        assert!(failure.message.contains("Sales"), "{failure}");
    }

    #[test]
    fn an_engine_that_refuses_for_good_is_not() {
        let database = "Sales".to_owned();
        let failure = statement(Refusal::NoSuchDatabase { database });
        assert_eq!(failure.again, Again::No);
        assert_eq!(failure.class, FailureClass::Refused);
    }

    #[test]
    fn a_repository_that_is_full_is_known_from_its_refusal_and_from_its_words() {
        assert_eq!(
            refused(RefusalKind::Full).class,
            FailureClass::RepositoryFull
        );
        let message = "no space on /srv".to_owned();
        let reason = StoreError::Full { message }.to_string();
        let failure = mover(MoverFailure::ByTarget { reason });
        assert_eq!(failure.class, FailureClass::RepositoryFull);
        assert_eq!(failure.again, Again::No);
    }

    #[test]
    fn a_lost_way_is_tried_again_before_the_commit_only() {
        let (outage, cause) = (Duration::from_secs(9), "reset".to_owned());
        let lost = MoverFailure::GaveUp {
            outage,
            cause: cause.clone(),
        };
        assert!(mover(lost).is_transient());
        let doubt = MoverFailure::CommitInDoubt { outage, cause };
        let failure = Failure::from(&TakeError::Commit(doubt.into()));
        assert_eq!(failure.again, Again::InDoubt);
    }

    #[test]
    fn a_target_without_free_slots_has_some_later() {
        assert!(refused(RefusalKind::Busy).is_transient());
        assert!(refused(RefusalKind::ShuttingDown).is_transient());
        let forbidden = refused(RefusalKind::Forbidden);
        assert!(!forbidden.is_transient());
        assert_eq!(forbidden.class, FailureClass::Refused);
    }

    #[test]
    fn nobody_listening_may_be_a_server_that_starts() {
        let error = ConnectError::Unreachable {
            address: "127.0.0.1:1".to_owned(),
            source: std::io::ErrorKind::ConnectionRefused.into(),
        };
        assert!(Failure::from(&error).is_transient());
    }
}
