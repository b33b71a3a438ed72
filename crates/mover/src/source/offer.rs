//! Which key a backup is encrypted with.

use tokio::task::spawn_blocking;
use uuid::Uuid;
use vab_format::vab::KeyArea;

use super::encoding::Encoding;
use super::keys::{Encryption, KeyError, Proposal, Sealing};

/// What is offered to the target for the case that a new file is begun.
pub(super) struct Offer(Option<(Encryption, Proposal)>);

impl Offer {
    pub(super) async fn make(encoding: &Encoding) -> Result<Self, KeyError> {
        let Some(encryption) = encoding.encryption.clone() else {
            return Ok(Self(None));
        };
        off_the_io_threads(move || {
            let proposal = encryption.propose()?;
            Ok(Self(Some((encryption, proposal))))
        })
        .await
    }

    /// The slots as they travel; empty if nothing is offered.
    pub(super) fn pack(&self) -> Result<Vec<u8>, KeyError> {
        match &self.0 {
            Some((_, proposal)) => proposal.pack(),
            None => Ok(Vec::new()),
        }
    }

    /// Begins to encrypt with the slots that the target says are in force. A target that would do
    /// without what was asked for, or the other way round, is refused.
    pub(super) async fn accepted(
        mut self,
        in_force: Option<Box<KeyArea>>,
        session: Uuid,
    ) -> Result<Option<Sealing>, KeyError> {
        match (self.0.take(), in_force) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(KeyError::Unasked),
            (Some(_), None) => Err(KeyError::NotEncrypted),
            (Some((encryption, proposal)), Some(area)) => {
                off_the_io_threads(move || encryption.begin(proposal, &area, session))
                    .await
                    .map(Some)
            }
        }
    }
}

/// What came to nothing is there for the next try: a target may be busy for long.
impl Drop for Offer {
    fn drop(&mut self) {
        if let Some((encryption, proposal)) = self.0.take() {
            encryption.keep(proposal);
        }
    }
}

/// Stretching a passphrase takes a while.
pub(super) async fn off_the_io_threads<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KeyError> + Send + 'static,
) -> Result<T, KeyError> {
    spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(KeyError::Failed {
            cause: error.to_string(),
        })
    })
}
