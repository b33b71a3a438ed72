//! The client's side of a set between processes.

mod device;
mod greeting;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use self::device::ClientDevice;
use self::greeting::{Greeting, Met};
use super::directory::Directory;
use super::memory::Part;
use super::session::{Fate, Session};
use super::sys::{Listener, Place, Socket, Wake};
use crate::clock::Deadline;
use crate::code::Features;
use crate::config::SetConfig;
use crate::configuration::Configuration;
use crate::error::{CloseError, CreateError, OpenError, WaitError};
use crate::name::DeviceName;
use crate::seam::{Cause, ClientDeviceLink, ClientSetLink};
use crate::sync::lock;

/// A set that engines find in the folder.
#[derive(Debug)]
pub(super) struct ClientSet {
    directory: Directory,
    device_names: Vec<DeviceName>,
    features: Features,
    /// Until the set is closed.
    place: Mutex<Option<Place>>,
    /// Until an engine came.
    listener: Mutex<Option<Listener>>,
    /// Wakes whoever waits for an engine.
    wake: Wake,
    aborted: AtomicBool,
    /// Connections that are not part of a session yet.
    greeted: Mutex<Vec<Arc<Socket>>>,
    session: OnceLock<(Arc<Session>, Configuration)>,
    /// The shared memory of each device until it is opened; none if data goes through sockets.
    parts: Mutex<Vec<Option<Part>>>,
}

impl ClientSet {
    pub(super) fn create(directory: Directory, config: &SetConfig) -> Result<Self, CreateError> {
        let io_error = |action| {
            move |error| CreateError::Io {
                action,
                error: Arc::new(error),
            }
        };
        let name = config.name();
        let place = Place::take(directory.path(), name)
            .map_err(io_error("taking the set's name in the folder"))?
            .ok_or_else(|| CreateError::NameTaken { name: name.clone() })?;
        let listener = Listener::open(&place, &directory.users)
            .map_err(io_error("opening the set for connections"))?;
        let wake = Wake::new().map_err(io_error("making what ends a wait"))?;
        Ok(Self {
            directory,
            device_names: config.device_names().to_vec(),
            features: config.features(),
            place: Mutex::new(Some(place)),
            listener: Mutex::new(Some(listener)),
            wake,
            aborted: AtomicBool::new(false),
            greeted: Mutex::default(),
            session: OnceLock::new(),
            parts: Mutex::default(),
        })
    }

    fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::Acquire)
    }

    /// The engine came: nobody else is wanted.
    fn settle(&self, met: Met) -> Configuration {
        let Met {
            session,
            configuration,
            parts,
        } = met;
        lock(&self.listener).take();
        if let Some(place) = &*lock(&self.place) {
            place.hide();
        }
        lock(&self.greeted).clear();
        *lock(&self.parts) = parts.into_iter().map(Some).collect();
        let session = &self
            .session
            .get_or_init(|| (Arc::new(session), configuration))
            .0;
        // An abort that came before the session was there did not reach it.
        if self.is_aborted() {
            session.end(Cause::Asked);
        }
        configuration
    }
}

impl ClientSetLink for ClientSet {
    fn wait(&self, timeout: Duration) -> Result<Option<Configuration>, WaitError> {
        if let Some((_, configuration)) = self.session.get() {
            return Ok(Some(*configuration));
        }
        let listener = lock(&self.listener);
        let Some(door) = &*listener else {
            return Err(WaitError::Aborted);
        };
        let result = Greeting::new(self, door).wait(Deadline::after(Some(timeout)));
        drop(listener);
        if self.is_aborted() {
            return Err(WaitError::Aborted);
        }
        match result {
            Ok(found) => Ok(found.map(|met| self.settle(met))),
            Err(error) => Err(WaitError::Io {
                action: "waiting for connections to the set",
                error: Arc::new(error),
            }),
        }
    }

    fn open_device(
        &self,
        index: usize,
        _name: &DeviceName,
    ) -> Result<Box<dyn ClientDeviceLink>, OpenError> {
        let Some((session, configuration)) = self.session.get() else {
            return Err(OpenError::Aborted);
        };
        match session.look() {
            None => {
                let session = Arc::clone(session);
                let part = lock(&self.parts).get_mut(index).and_then(Option::take);
                Ok(Box::new(ClientDevice::new(
                    session,
                    index,
                    configuration,
                    part,
                )))
            }
            Some(Fate::Lost) => Err(OpenError::EngineLost),
            Some(_) => Err(OpenError::Aborted),
        }
    }

    fn abort(&self, cause: Cause) {
        self.aborted.store(true, Ordering::Release);
        self.wake.wake();
        for socket in &*lock(&self.greeted) {
            socket.cut();
        }
        if let Some((session, _)) = self.session.get() {
            session.end(cause);
        }
    }

    fn close(&self) -> Result<(), CloseError> {
        lock(&self.listener).take();
        lock(&self.place).take();
        Ok(())
    }
}
