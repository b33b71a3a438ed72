use std::thread::{self, JoinHandle};
use std::time::Duration;

use vab_vdi::memory::Hub;
use vab_vdi::{
    Device, DeviceName, Direction, EngineError, EngineTransport, Geometry, OpenSet, OpenSetRequest,
    SetConfig, Transport, Waited,
};

const LIMIT: Duration = Duration::from_secs(60);

/// The bytes of a stream: made of its number, so that none is like another.
pub(crate) fn stream_bytes(stream: u16, length: usize) -> Vec<u8> {
    let mut state = u64::from(stream).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// An engine in threads: one for the set, one for each device.
pub(crate) struct Engine {
    names: Vec<DeviceName>,
    hub: Hub,
}

impl Engine {
    pub(crate) fn new(hub: &Hub, name: &str, devices: usize) -> Self {
        let config = SetConfig::new(&DeviceName::new(name).unwrap(), devices).unwrap();
        Self {
            names: config.device_names().to_vec(),
            hub: hub.clone(),
        }
    }

    /// Opens the set and runs `work` on each device; gives what each gave.
    pub(crate) fn run<T: Send + 'static>(
        self,
        direction: Direction,
        work: impl Fn(u16, &mut vab_vdi::EngineDevice) -> Result<T, EngineError>
        + Send
        + Sync
        + Clone
        + 'static,
    ) -> JoinHandle<Result<Vec<T>, EngineError>> {
        thread::spawn(move || {
            let request = OpenSetRequest::new(self.names, direction, Geometry::default());
            let mut set = self.hub.open_set(request, LIMIT)?;
            let threads: Vec<_> = (0..)
                .zip(set.devices())
                .map(|(stream, mut device)| {
                    let work = work.clone();
                    thread::spawn(move || {
                        let result = work(stream, &mut device)?;
                        device.close()?;
                        Ok(result)
                    })
                })
                .collect();
            let results: Result<Vec<T>, EngineError> = threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect();
            set.close()?;
            results
        })
    }

    /// A backup of `length` bytes a stream, written in pieces of 64 KiB.
    pub(crate) fn back_up(self, length: usize) -> JoinHandle<Result<Vec<()>, EngineError>> {
        self.run(Direction::Backup, move |stream, device| {
            for piece in stream_bytes(stream, length).chunks(65_536) {
                device.write(piece)?;
            }
            device.flush()?;
            device.complete()
        })
    }

    /// A restore with reads of changing sizes.
    pub(crate) fn restore(self) -> JoinHandle<Result<Vec<Vec<u8>>, EngineError>> {
        self.run(Direction::Restore, |_, device| {
            let mut bytes = Vec::new();
            let mut buffer = vec![0; 1 << 20];
            for size in [65_536, 512, 1 << 20, 196_608].into_iter().cycle() {
                match device.read(&mut buffer[..size])? {
                    0 => break,
                    count => bytes.extend_from_slice(&buffer[..count]),
                }
            }
            Ok(bytes)
        })
    }
}

/// The client's end: creates the set, starts the engine, opens the devices.
pub(crate) fn set_of<T>(
    hub: &Hub,
    name: &str,
    devices: usize,
    start: impl FnOnce(Engine) -> T,
) -> (OpenSet, Vec<Device>, T) {
    let config = SetConfig::new(&DeviceName::new(name).unwrap(), devices).unwrap();
    let created = hub.create(config).unwrap();
    let started = start(Engine::new(hub, name, devices));
    match created.wait(LIMIT).unwrap() {
        Waited::Ready(ready) => {
            let (set, devices) = ready.open().unwrap();
            (set, devices, started)
        }
        Waited::NotYet(_) => panic!("the engine never came"),
    }
}
