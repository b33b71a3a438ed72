//! Where the virtual devices of a server are made.

use std::sync::Arc;

use vab_vdi::{CreateError, CreatedSet, SetConfig, Transport};

use super::address::{Address, Devices};
use crate::error::EngineError;

/// The transport that makes devices which this server can open.
pub(super) fn transport(address: &Address) -> Result<Arc<dyn Transport>, EngineError> {
    let inner = match &address.devices {
        Devices::Native => native()?,
        #[cfg(any(unix, windows))]
        Devices::Pipe(folder) => {
            let folder = vab_vdi::pipe::Directory::open(folder).map_err(failed)?;
            Arc::new(folder) as Arc<dyn Transport>
        }
        #[cfg(not(any(unix, windows)))]
        Devices::Pipe(_) => {
            return Err(EngineError::Unsupported {
                what: "use devices in a folder on this system",
            });
        }
    };
    Ok(match &address.instance {
        Some(instance) => Arc::new(OfInstance {
            inner,
            instance: instance.clone(),
        }),
        None => inner,
    })
}

#[cfg(any(unix, windows))]
fn failed(error: impl std::error::Error + Send + Sync + 'static) -> EngineError {
    EngineError::Io {
        action: "making virtual devices",
        error: Arc::new(std::io::Error::other(error)),
    }
}

#[cfg(target_os = "linux")]
fn native() -> Result<Arc<dyn Transport>, EngineError> {
    Ok(Arc::new(vab_vdi::linux::Library::load().map_err(failed)?))
}

#[cfg(windows)]
fn native() -> Result<Arc<dyn Transport>, EngineError> {
    Ok(Arc::new(vab_vdi::windows::Sqlvdi::new().map_err(failed)?))
}

#[cfg(not(any(target_os = "linux", windows)))]
fn native() -> Result<Arc<dyn Transport>, EngineError> {
    Err(EngineError::Unsupported {
        what: "make virtual devices on this system; SQL Server runs on Windows and Linux",
    })
}

/// Makes every set for a named instance.
#[derive(Debug)]
struct OfInstance<T> {
    inner: T,
    instance: String,
}

impl Transport for OfInstance<Arc<dyn Transport>> {
    fn create(&self, config: SetConfig) -> Result<CreatedSet, CreateError> {
        self.inner.create(config.instance(self.instance.as_str()))
    }
}
