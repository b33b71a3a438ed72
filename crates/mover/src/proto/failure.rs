use std::time::Duration;

use uuid::Uuid;

use crate::Refusal;
use crate::proto::Violation;

/// Why a session came to its end without success.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The target refused the request.
    #[error("the target refused: {0}")]
    Refused(Refusal),
    /// The target ended the session.
    #[error("the target ended the session: {reason}")]
    ByTarget {
        /// What it said.
        reason: String,
    },
    /// This side ended the session.
    #[error("ended at the source: {reason}")]
    BySource {
        /// What was given as the reason.
        reason: String,
    },
    /// The connection was lost before the session began.
    #[error("the connection was lost before the session began: {cause}; try again")]
    LostBeforeBegin {
        /// What happened.
        cause: String,
    },
    /// The connection was lost and did not come back in time.
    #[error("the connection was lost {} s ago and did not come back: {cause}", outage.as_secs())]
    GaveUp {
        /// How long the outage lasted.
        outage: Duration,
        /// What the last try met.
        cause: String,
    },
    /// The connection was lost while the answer to the commit was on its way.
    #[error(
        "the connection was lost while the target committed and did not come back ({cause}); list the restore points of the repository to see whether the backup is among them"
    )]
    CommitInDoubt {
        /// How long the outage lasted.
        outage: Duration,
        /// What the last try met.
        cause: String,
    },
    /// The target was started again and does not have what it once said to be durable: its disk
    /// has changed or lost it.
    #[error(
        "stream {stream}: the target has {found} blocks, and had said that {acknowledged} are durable: its disk has damaged what was written; check the disk of the repository and run the backup again"
    )]
    Behind {
        /// The stream.
        stream: u16,
        /// Blocks that the target said to be durable.
        acknowledged: u64,
        /// Blocks that it has now.
        found: u64,
    },
    /// What is restored is no longer what it was before the connection was lost.
    #[error(
        "the target offers session {got} after the connection was lost, session {expected} before; start the restore again"
    )]
    Changed {
        /// The session before.
        expected: Uuid,
        /// The session now.
        got: Uuid,
    },
    /// The target broke the protocol.
    #[error("the target does not keep to the protocol: {0}")]
    Violation(#[from] Violation),
}
