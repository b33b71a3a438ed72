//! The client's side: the backup program.

mod command;
mod core;
mod device;
mod refused;
mod set;

use crate::config::SetConfig;
use crate::error::CreateError;

pub use command::{Command, CompleteCommand, FlushCommand, ReadCommand, TakenWrite, WriteCommand};
pub use core::AbortHandle;
pub use device::{Device, Event};
pub use refused::Refused;
pub use set::{ConfiguredSet, CreatedSet, OpenSet, Waited};

/// Where a client creates sets of virtual devices.
pub trait Transport: Send + Sync {
    /// Creates a set, ready for the engine to come. After that, the statement can be sent to the
    /// engine, from another thread: it does not return before the operation is over.
    ///
    /// # Errors
    /// When the name is in use, or the system or the server refuses.
    fn create(&self, config: SetConfig) -> Result<CreatedSet, CreateError>;
}
