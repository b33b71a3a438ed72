//! How many streams the other side takes.

use super::RecoveryManager;
use crate::message::{self, Query, SlotsAnswer};
use crate::server::AskError;

/// The stream slots of a backup manager: one stream of a backup takes one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamSlots {
    /// All there are; `None` without a limit.
    pub total: Option<u16>,
    /// Those that are free at this moment; `None` without a limit.
    pub free: Option<u16>,
}

impl RecoveryManager {
    /// Asks how many streams the backup manager takes at a time.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn slots(&self) -> Result<StreamSlots, AskError> {
        let answer = self.source.query(message::encode(&Query::Slots)).await?;
        let SlotsAnswer { total, free } = message::decode(&answer, "number of stream slots")?;
        Ok(StreamSlots { total, free })
    }
}
