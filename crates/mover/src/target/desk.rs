use std::fmt;

use tokio::sync::oneshot;
use uuid::Uuid;

use super::sessions::{Ask, Sessions};
use crate::security::PeerIdentity;

/// Who runs a target sees its backup sessions here, and can end them. Give a clone to
/// [`TargetOptions`](super::TargetOptions) and keep the other.
#[derive(Clone, Default)]
pub struct Desk(pub(super) Sessions);

/// A backup session that runs at a target.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionInfo {
    /// Its identity.
    pub session: Uuid,
    /// Who began it.
    pub peer: PeerIdentity,
    /// The number of its streams.
    pub streams: u16,
    /// Whether its source is there; it may come back if not.
    pub attached: bool,
}

impl Desk {
    /// A desk of no target yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The backup sessions that run at this moment.
    pub fn sessions(&self) -> Vec<SessionInfo> {
        let running = self.0.running().into_iter();
        running
            .map(|(session, peer, streams, parked)| SessionInfo {
                session,
                peer,
                streams,
                attached: !parked,
            })
            .collect()
    }

    /// Ends a session: its source is told the reason, and nothing of it is left when this is
    /// done. A commit that is under way is not stopped. False if no such session runs.
    pub async fn cancel(&self, session: Uuid, reason: &str) -> bool {
        let Some(ask) = self.0.ask(session) else {
            return false;
        };
        let (ended, end) = oneshot::channel();
        let end_it = Ask::End {
            reason: reason.to_owned(),
            if_parked: false,
            ended,
        };
        // It is gone if it does not listen; its end drops the sender.
        if ask.send(end_it).await.is_ok() {
            let _ = end.await;
        }
        true
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.sessions()).finish()
    }
}
