//! The engine's side: the database.

mod device;
mod request;
mod set;

use std::time::Duration;

use crate::error::EngineError;

pub use device::EngineDevice;
pub use request::OpenSetRequest;
pub(crate) use set::EngineCore;
pub use set::{EngineAbortHandle, EngineSet};

/// Where an engine finds sets of virtual devices.
pub trait EngineTransport: Send + Sync {
    /// Opens a set that a client created, and configures it.
    ///
    /// # Errors
    /// When no client creates the set within `timeout`, another engine has it, or the request
    /// does not fit it.
    fn open_set(
        &self,
        request: OpenSetRequest,
        timeout: Duration,
    ) -> Result<EngineSet, EngineError>;
}
