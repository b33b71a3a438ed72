//! The library as a transport.

use super::apartment::keep_multithreaded;
use super::secondary::Secondary;
use super::set::WindowsSet;
use crate::client::{CreatedSet, Transport};
use crate::config::SetConfig;
use crate::error::CreateError;
use crate::name::DeviceName;

/// SQL Server's COM library.
#[derive(Debug, Clone)]
pub struct Sqlvdi(());

impl Sqlvdi {
    /// Prepares the process for COM. Whether the library is there is seen when a set is created.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn new() -> Result<Self, CreateError> {
        match keep_multithreaded() {
            Ok(()) => Ok(Self(())),
            Err(code) => Err(CreateError::Native { code }),
        }
    }

    /// For a process that serves devices of a set which another process created.
    pub fn secondary(&self, set: DeviceName) -> Secondary {
        Secondary::new(self.clone(), set)
    }
}

impl Transport for Sqlvdi {
    fn create(&self, config: SetConfig) -> Result<CreatedSet, CreateError> {
        let link = WindowsSet::create(&config)?;
        Ok(CreatedSet::new(config, Box::new(link)))
    }
}
