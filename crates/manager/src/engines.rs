//! Engines by the text that a person types.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use vab_chain::ServerTime;
use vab_engine::{Engine, sim};

use crate::clock::{Clock, SystemClock};

/// Which engine is meant, such as `sim:/var/lib/demo`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EngineAddress {
    /// The embedded engine in this folder.
    Sim(PathBuf),
}

/// Why an engine cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineAddressError {
    /// Not the form of an engine.
    #[error("`{text}` is not an engine: expected `sim:DIR`, the folder of an embedded engine")]
    Unknown {
        /// What was found.
        text: String,
    },
    /// The engine does not start.
    #[error("the embedded engine in `{}` cannot be used", .folder.display())]
    Sim {
        /// Its folder.
        folder: PathBuf,
        /// Why.
        #[source]
        error: sim::InstanceError,
    },
}

impl FromStr for EngineAddress {
    type Err = EngineAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("sim:") {
            Some(folder) if !folder.is_empty() => Ok(Self::Sim(Path::new(folder).to_owned())),
            _ => Err(EngineAddressError::Unknown {
                text: text.to_owned(),
            }),
        }
    }
}

impl EngineAddress {
    /// Opens the engine.
    ///
    /// # Errors
    /// When it is not there, or another process has it open.
    pub fn open(&self) -> Result<Arc<dyn Engine>, EngineAddressError> {
        match self {
            Self::Sim(folder) => self.sim(sim::Instance::open(folder, sim_options())),
        }
    }

    /// Opens the engine to restore into, which an embedded one is made for where there is none.
    ///
    /// # Errors
    /// When it cannot be made, or another process has it open.
    pub fn open_or_create(&self) -> Result<Arc<dyn Engine>, EngineAddressError> {
        match self {
            Self::Sim(folder) => self.sim(sim::Instance::open_or_create(folder, sim_options())),
        }
    }

    fn sim(
        &self,
        instance: Result<sim::Instance, sim::InstanceError>,
    ) -> Result<Arc<dyn Engine>, EngineAddressError> {
        let Self::Sim(folder) = self;
        match instance {
            Ok(instance) => Ok(Arc::new(instance)),
            Err(error) => Err(EngineAddressError::Sim {
                folder: folder.clone(),
                error,
            }),
        }
    }
}

/// An embedded server has its clock in UTC, so that a machine's time zone changes nothing.
fn sim_options() -> sim::Options {
    let clock = || ServerTime::from_micros(SystemClock.now().as_micros());
    sim::Options::new(clock).utc_offset(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_named_by_kind_and_place() {
        assert_eq!(
            "sim:a b".parse::<EngineAddress>().unwrap(),
            EngineAddress::Sim("a b".into())
        );
    }

    #[test]
    fn what_is_no_engine_is_refused_with_the_form() {
        for text in ["", "sim:", "mysql://x", "/var/lib"] {
            let error = text.parse::<EngineAddress>().unwrap_err().to_string();
            assert!(error.contains("sim:DIR"), "{error}");
        }
    }
}
