//! A backup through one device of a back end, and the copy that it is compared with.

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use vab_vdi::{
    Command, Device, DeviceName, Direction, EngineDevice, EngineTransport, Event, Geometry,
    OpenSetRequest, SetConfig, Transport, Waited,
};

pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Commands that go through before the clock is started: each buffer was touched by then, which
/// makes the system find a page of memory for every 4 KiB, and both sides have their pace.
const WARM: u32 = 64;

/// What a client needs for `count` commands of `size` bytes from an engine that writes every byte of
/// them, once both run. At most `depth` commands are outstanding.
pub(crate) fn through<T>(transport: &T, depth: usize, size: usize, count: u32) -> Took
where
    T: Transport + EngineTransport + Clone + 'static,
{
    let engine = move |mut device: EngineDevice| {
        let source = Pages::new(size);
        for _ in 0..WARM + count {
            device.write(source.bytes()).unwrap();
        }
        device.close().unwrap();
    };
    let client = move |device: Device| {
        let (mut start, mut taken) = (Mark::here(), 0);
        let all = serve(&device, |_| {
            taken += 1;
            if taken == WARM {
                start = Mark::here();
            }
        });
        assert_eq!(all, u64::from(WARM + count));
        start.until_here()
    };
    let geometry = Geometry::default();
    let shape = Shape {
        devices: 1,
        depth,
        geometry,
    };
    let took = both_sides(transport, &shape, engine, client);
    took.into_iter().next().unwrap()
}

/// The time by the clock, and the time that the processors worked for it on all threads.
#[derive(Clone, Copy)]
pub(crate) struct Took {
    pub(crate) wall: Duration,
    #[cfg_attr(not(unix), expect(dead_code, reason = "nothing is compared there"))]
    pub(crate) work: Duration,
}

/// Where a measurement begins.
struct Mark {
    clock: Instant,
    worked: Duration,
}

impl Mark {
    fn here() -> Self {
        Self {
            clock: now(),
            worked: worked(),
        }
    }

    fn until_here(&self) -> Took {
        Took {
            wall: self.clock.elapsed(),
            work: worked().saturating_sub(self.worked),
        }
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

/// What a set is like.
pub(crate) struct Shape {
    pub(crate) devices: usize,
    /// Commands outstanding on one device, each with a buffer.
    pub(crate) depth: usize,
    pub(crate) geometry: Geometry,
}

/// Runs both sides of a set, one thread for each end of each device.
pub(crate) fn both_sides<T, R: Send>(
    transport: &T,
    shape: &Shape,
    engine: impl Fn(EngineDevice) + Send + Sync + 'static,
    client: impl Fn(Device) -> R + Sync,
) -> Vec<R>
where
    T: Transport + EngineTransport + Clone + 'static,
{
    let name = DeviceName::new("bench").unwrap();
    let config = SetConfig::new(&name, shape.devices).unwrap();
    let names = config.device_names().to_vec();
    let set = transport.create(config).unwrap();
    let other_side = transport.clone();
    let mut request = OpenSetRequest::new(names, Direction::Backup, shape.geometry);
    request.depth = shape.depth;
    request.buffer_count = shape.depth * shape.devices;
    let statement = thread::spawn(move || {
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

/// What one thread needs to copy as many bytes, from one buffer to as many as a device has. All have
/// been touched before, as those of the devices have.
pub(crate) fn copy(depth: u32, size: usize, count: u32) -> Took {
    let source = Pages::new(size);
    let mut buffers: Vec<_> = (0..depth).map(|_| Pages::new(size)).collect();
    let mut each = |count: u32| {
        for _ in 0..count / depth {
            for buffer in &mut buffers {
                let buffer = buffer.bytes_mut();
                buffer.copy_from_slice(black_box(source.bytes()));
                black_box(buffer);
            }
        }
    };
    each(WARM);
    let start = Mark::here();
    each(count);
    start.until_here()
}

/// Bytes from a page's beginning on, as those of the devices in shared memory are: how fast the
/// system's library copies depends on where in their pages both sides are, by a factor of two.
struct Pages {
    all: Vec<u8>,
    first: usize,
    size: usize,
}

impl Pages {
    const LENGTH: usize = 4096;

    fn new(size: usize) -> Self {
        let all = vec![1; size + Self::LENGTH];
        let first = all.as_ptr().align_offset(Self::LENGTH);
        Self { all, first, size }
    }

    fn bytes(&self) -> &[u8] {
        self.all.get(self.first..self.first + self.size).unwrap()
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        let range = self.first..self.first + self.size;
        self.all.get_mut(range).unwrap()
    }
}

#[expect(clippy::disallowed_methods, reason = "this measures time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
