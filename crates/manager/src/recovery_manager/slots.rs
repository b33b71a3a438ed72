//! How many streams the other side takes.

use std::num::NonZeroU16;

use super::RecoveryManager;
use crate::message::{self, Query, SlotsAnswer};
use crate::run::Budget;
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

    /// `budget`, and not more than all slots of the backup manager: what is not free now is
    /// waited for there.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn within_slots(&self, budget: Budget) -> Result<Budget, AskError> {
        let total = self.slots().await?.total.and_then(NonZeroU16::new);
        Ok(total.map_or(budget, |total| budget.within_slots(total)))
    }
}
