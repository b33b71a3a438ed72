//! What the tests of all back ends share.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]
#![allow(dead_code, reason = "every test file uses its own part of this")]

#[cfg(any(target_os = "linux", windows))]
pub(crate) mod stand_in;
#[cfg(target_os = "linux")]
pub(crate) mod stand_in_linux;
#[cfg(windows)]
pub(crate) mod stand_in_windows;

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use vab_vdi::{
    ConfiguredSet, CreatedSet, Device, DeviceName, Direction, EngineSet, EngineTransport, Geometry,
    OpenSet, OpenSetRequest, SetConfig, Transport, Waited,
};

/// Longer than anything takes that is not stuck, also on a busy machine; valgrind makes everything take longer.
pub(crate) const LIMIT: Duration = Duration::from_secs(if option_env!("VAB_PATIENT").is_some() {
    600
} else {
    60
});

/// A back end with both sides, and what has to live as long as it.
#[derive(Clone)]
pub(crate) struct Both {
    pub(crate) client: Arc<dyn Transport>,
    pub(crate) engine: Arc<dyn EngineTransport>,
    /// Whether an error says which side went away, or only that the operation was aborted.
    pub(crate) tells_who_is_lost: bool,
    _keep: Arc<dyn std::any::Any + Send + Sync>,
}

pub(crate) fn memory() -> Both {
    let hub = vab_vdi::memory::Hub::new();
    Both {
        client: Arc::new(hub.clone()),
        engine: Arc::new(hub),
        tells_who_is_lost: true,
        _keep: Arc::new(()),
    }
}

#[cfg(any(unix, windows))]
pub(crate) fn pipe() -> Both {
    pipe_of(|directory| directory)
}

/// Data goes through the sockets.
#[cfg(any(unix, windows))]
pub(crate) fn plain_pipe() -> Both {
    pipe_of(vab_vdi::pipe::Directory::without_shared_memory)
}

#[cfg(any(unix, windows))]
fn pipe_of(arranged: impl FnOnce(vab_vdi::pipe::Directory) -> vab_vdi::pipe::Directory) -> Both {
    let folder = tempfile::tempdir().unwrap();
    let directory = arranged(vab_vdi::pipe::Directory::open(folder.path()).unwrap());
    Both {
        client: Arc::new(directory.clone()),
        engine: Arc::new(directory),
        tells_who_is_lost: true,
        _keep: Arc::new(folder),
    }
}

/// SQL Server's back end of this system over a stand-in library; `None`, in words, when there is
/// none.
#[cfg(any(target_os = "linux", windows))]
pub(crate) fn native() -> Option<Both> {
    stand_in::StandIn::new().map(stand_in::StandIn::both)
}

pub(crate) fn name() -> DeviceName {
    DeviceName::new("set").unwrap()
}

pub(crate) fn names(devices: usize) -> Vec<DeviceName> {
    (0..devices).map(|n| name().numbered(n).unwrap()).collect()
}

pub(crate) fn geometry() -> Geometry {
    Geometry::new(512, 65_536).unwrap()
}

pub(crate) fn request(devices: usize, direction: Direction) -> OpenSetRequest {
    OpenSetRequest::new(names(devices), direction, geometry())
}

impl Both {
    pub(crate) fn create(&self, devices: usize) -> CreatedSet {
        self.client
            .create(SetConfig::new(&name(), devices).unwrap())
            .unwrap()
    }

    /// Both sides after they met, the client's devices not open yet.
    pub(crate) fn meet(&self, request: OpenSetRequest) -> (ConfiguredSet, EngineSet) {
        let set = self.create(request.device_names.len());
        let transport = Arc::clone(&self.engine);
        let engine = std::thread::spawn(move || transport.open_set(request, LIMIT));
        let Waited::Ready(set) = set.wait(LIMIT).unwrap() else {
            panic!("the engine did not come")
        };
        (set, engine.join().unwrap().unwrap())
    }

    /// Both sides of a set, ready for commands.
    pub(crate) fn pair(
        &self,
        devices: usize,
        direction: Direction,
    ) -> (OpenSet, Vec<Device>, EngineSet) {
        let (set, engine) = self.meet(request(devices, direction));
        let (set, devices) = set.open().unwrap();
        (set, devices, engine)
    }
}

/// Bytes that differ from device to device.
pub(crate) fn content(device: usize, length: usize) -> Vec<u8> {
    let byte = |i: usize| u8::try_from((i * 7 + i / 251 + device) % 256).unwrap();
    (0..length).map(byte).collect()
}

/// Something that happens once.
#[derive(Debug, Default)]
pub(crate) struct Once(Mutex<bool>, Condvar);

impl Once {
    pub(crate) fn set(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }

    pub(crate) fn wait(&self) {
        drop(
            self.1
                .wait_while(self.0.lock().unwrap(), |set| !*set)
                .unwrap(),
        );
    }
}
