//! A device set and the engine's statement that uses it, run side by side.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};
use uuid::Uuid;
use vab_engine::Cancel;
use vab_vdi::{
    AbortHandle, CloseError, ConfigError, CreateError, Device, DeviceName, NameError, OpenError,
    OpenSet, SetConfig, Transport, WaitError, Waited,
};

/// How long one wait for the engine lasts before the statement is looked at again: a statement
/// that fails before it comes to the devices shows only there.
const POLL: Duration = Duration::from_millis(50);

/// Why no devices could be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceSetError {
    /// The number of streams, or a name made from it, is not legal.
    #[error("the device set cannot be described")]
    Config(#[from] ConfigError),
    /// A device name is not legal.
    #[error("the device set cannot be named")]
    Name(#[from] NameError),
    /// The engine's devices cannot be used on this machine.
    #[error("the virtual devices of the engine cannot be used")]
    NoDevices(#[source] vab_engine::EngineError),
    /// The set could not be created.
    #[error("the device set cannot be created")]
    Create(#[from] CreateError),
    /// The engine did not come to the set.
    #[error("the engine did not open the device set")]
    Wait(#[from] WaitError),
    /// The devices could not be opened.
    #[error("the virtual devices cannot be opened")]
    Open(#[from] OpenError),
    /// The set could not be closed normally.
    #[error("the device set did not end normally")]
    Close(#[from] CloseError),
    /// The statement ended without opening the devices.
    #[error("the engine's statement ended before it opened the devices")]
    StatementEnded,
    /// The statement's thread is gone.
    #[error("the thread of the engine's statement died")]
    StatementDied,
}

/// The engine's statement, running, and the way to end it.
///
/// Dropping it aborts the device set, which ends the statement.
#[derive(Debug)]
pub(crate) struct Statement<T> {
    task: JoinHandle<T>,
    abort: AbortOnDrop,
}

#[derive(Debug)]
struct AbortOnDrop {
    set: Option<AbortHandle>,
    cancel: Cancel,
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        if let Some(set) = &self.set {
            self.cancel.cancel();
            set.abort();
        }
    }
}

impl<T: Send + 'static, E: Send + 'static> Statement<Result<T, E>> {
    /// Creates a set of `devices` devices, starts `statement` with their names, and waits until
    /// the engine has opened them.
    ///
    /// A statement that fails aborts the set at once. The devices are absent when the statement ended, or the engine could not come to the
    /// devices, before there were any: ask [`Statement::end`] for the statement's own answer.
    pub(crate) async fn start(
        (transport, cancel): (Arc<dyn Transport>, Cancel),
        devices: usize,
        statement: impl FnOnce(Vec<DeviceName>) -> Result<T, E> + Send + 'static,
    ) -> Result<(Self, Result<OpenDevices, DeviceSetError>), DeviceSetError> {
        let config = SetConfig::new(&DeviceName::new(Uuid::new_v4().to_string())?, devices)?;
        let names = config.device_names().to_vec();
        let created = spawn_blocking(move || transport.create(config)).await;
        let mut created = created.map_err(|_| DeviceSetError::StatementDied)??;
        let set = created.abort_handle();
        let abort = AbortOnDrop {
            set: Some(set.clone()),
            cancel,
        };
        let statement = Self {
            task: spawn_blocking(move || {
                let ended = statement(names);
                // Whoever serves the devices need not wait for an engine that will not come.
                if ended.is_err() {
                    set.abort();
                }
                ended
            }),
            abort,
        };
        loop {
            let waited = spawn_blocking(move || created.wait(POLL)).await;
            created = match waited.map_err(|_| DeviceSetError::StatementDied)? {
                Ok(Waited::Ready(set)) => {
                    let opened = set
                        .open()
                        .map(|(set, devices)| OpenDevices { set, devices });
                    return Ok((statement, opened.map_err(DeviceSetError::from)));
                }
                Ok(Waited::NotYet(set)) if !statement.task.is_finished() => set,
                Ok(Waited::NotYet(_)) => {
                    return Ok((statement, Err(DeviceSetError::StatementEnded)));
                }
                Err(error) => return Ok((statement, Err(error.into()))),
            };
        }
    }

    /// The way to end the statement from elsewhere.
    pub(crate) fn abort_handle(&self) -> Option<AbortHandle> {
        self.abort.set.clone()
    }

    /// Waits for the end of a statement whose devices have ended.
    pub(crate) async fn end(mut self) -> Result<Result<T, E>, DeviceSetError> {
        let ended = (&mut self.task)
            .await
            .map_err(|_| DeviceSetError::StatementDied);
        self.abort.set = None;
        ended
    }

    /// Aborts the device set and waits for the end of the statement, which has a reason of its own
    /// to tell.
    pub(crate) async fn abort(self) -> Result<Result<T, E>, DeviceSetError> {
        if let Some(handle) = self.abort_handle() {
            handle.abort();
        }
        self.end().await
    }

    /// Cancels the statement, aborts the device set, and waits for the end of both.
    pub(crate) async fn cancel(self) -> Result<Result<T, E>, DeviceSetError> {
        self.abort.cancel.cancel();
        self.abort().await
    }
}

/// The devices that the engine has opened.
#[derive(Debug)]
pub(crate) struct OpenDevices {
    pub(crate) set: OpenSet,
    pub(crate) devices: Vec<Device>,
}
