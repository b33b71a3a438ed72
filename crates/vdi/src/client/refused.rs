//! Commands that a device does not have.

use crate::code::CommandCode;

/// The commands that were answered with
/// [`NOT_SUPPORTED`](crate::CompletionCode::NOT_SUPPORTED).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Refused {
    /// How many there were.
    pub count: u64,
    /// The last of them.
    pub last: Option<CommandCode>,
}

impl Refused {
    pub(crate) fn record(self, code: CommandCode) -> Self {
        Self {
            count: self.count.saturating_add(1),
            last: Some(code),
        }
    }
}
