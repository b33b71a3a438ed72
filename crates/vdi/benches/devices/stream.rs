//! A backup through one device of a back end, and the copy that it is compared with.

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use vab_vdi::{
    Command, Device, DeviceName, Direction, EngineDevice, EngineTransport, Event, Geometry,
    OpenSetRequest, SetConfig, Transport, Waited,
};

pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// The time that a client needs for `count` commands of `size` bytes from an engine that writes
/// every byte of them.
pub(crate) fn through<T>(transport: &T, size: usize, count: u32) -> Duration
where
    T: Transport + EngineTransport + Clone + 'static,
{
    let engine = move |mut device: EngineDevice| {
        let source = vec![1; size];
        for _ in 0..count {
            device.write(&source).unwrap();
        }
        device.close().unwrap();
    };
    let client = move |device: Device| {
        let start = now();
        assert_eq!(serve(&device, |_| {}), u64::from(count));
        start.elapsed()
    };
    let geometry = Geometry::default();
    let times = both_sides(transport, 1, geometry, engine, client);
    times.into_iter().sum()
}

/// The time by the clock, and the time that the processors worked for it on all threads.
#[derive(Clone, Copy)]
pub(crate) struct Took {
    pub(crate) wall: Duration,
    pub(crate) work: Duration,
}

/// Measures something that gives its own time by the clock.
pub(crate) fn took(run: impl FnOnce() -> Duration) -> Took {
    let before = worked();
    let wall = run();
    Took {
        wall,
        work: worked().saturating_sub(before),
    }
}

/// What the processors have worked for this process so far.
#[cfg(unix)]
fn worked() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap()
}

#[cfg(not(unix))]
fn worked() -> Duration {
    Duration::ZERO
}

/// Takes every command of a device, and looks at one byte of each; gives their number.
pub(crate) fn serve(device: &Device, mut taken: impl FnMut(Duration)) -> u64 {
    let mut count = 0;
    let mut last = now();
    while let Event::Command(command) = device.next_command(Some(LIMIT)).unwrap() {
        let Command::Write(write) = command else {
            panic!("only writes were sent")
        };
        count += u64::from(*black_box(write.data()).first().unwrap());
        write.complete().unwrap();
        let this = now();
        taken(this - last);
        last = this;
    }
    count
}

/// Runs both sides of a set, one thread for each end of each device.
pub(crate) fn both_sides<T, R: Send>(
    transport: &T,
    devices: usize,
    geometry: Geometry,
    engine: impl Fn(EngineDevice) + Send + Sync + 'static,
    client: impl Fn(Device) -> R + Sync,
) -> Vec<R>
where
    T: Transport + EngineTransport + Clone + 'static,
{
    let name = DeviceName::new("bench").unwrap();
    let config = SetConfig::new(&name, devices).unwrap();
    let names = config.device_names().to_vec();
    let set = transport.create(config).unwrap();
    let other_side = transport.clone();
    let statement = thread::spawn(move || {
        let request = OpenSetRequest::new(names, Direction::Backup, geometry);
        let mut set = other_side.open_set(request, LIMIT).unwrap();
        thread::scope(|scope| {
            for device in set.devices() {
                scope.spawn(|| engine(device));
            }
        });
        set.close().unwrap();
    });
    let Waited::Ready(set) = set.wait(LIMIT).unwrap() else {
        panic!("the engine never came")
    };
    let (set, devices) = set.open().unwrap();
    let results = thread::scope(|scope| {
        let client = &client;
        let threads: Vec<_> = devices
            .into_iter()
            .map(|device| scope.spawn(move || client(device)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    set.close().unwrap();
    statement.join().unwrap();
    results
}

/// The time that one thread needs to copy as many bytes between buffers as many as a device has.
pub(crate) fn copy(size: usize, count: u32) -> Duration {
    let source = vec![1_u8; size];
    let mut buffers = vec![vec![0_u8; size]; 4];
    let start = now();
    for _ in 0..count / 4 {
        for buffer in &mut buffers {
            buffer.copy_from_slice(black_box(&source));
            black_box(buffer);
        }
    }
    start.elapsed()
}

#[expect(clippy::disallowed_methods, reason = "this measures time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
