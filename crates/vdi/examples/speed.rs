//! How fast data goes through devices: each transport against a plain copy in memory.
//!
//! `cargo run --release -p vab-vdi --example speed`

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use vab_vdi::memory::Hub;
use vab_vdi::{
    Command, DeviceName, Direction, EngineTransport, Event, Geometry, OpenSetRequest, SetConfig,
    Transport, Waited,
};

type Failure = Box<dyn Error + Send + Sync>;

const LIMIT: Duration = Duration::from_secs(60);
const TRANSFER: usize = 1 << 20;
/// Transfers of a measurement.
const COUNT: u32 = 2048;

fn main() -> Result<(), Failure> {
    let copied = copy();
    println!("{:<22} {:>8.0} MiB/s", "copy in memory", rate(copied));
    report("memory", &Hub::new(), copied)?;
    #[cfg(any(unix, windows))]
    {
        let folder = tempfile::tempdir()?;
        let shared = vab_vdi::pipe::Directory::open(folder.path())?;
        report("pipe, shared memory", &shared, copied)?;
        report("pipe, sockets", &shared.without_shared_memory(), copied)?;
    }
    Ok(())
}

/// Measures one transport; `copied` is the time of the plain copy.
fn report<T>(name: &str, transport: &T, copied: Duration) -> Result<(), Failure>
where
    T: Transport + EngineTransport + Clone + 'static,
{
    let written = run(transport, TRANSFER, COUNT)?;
    let small = run(transport, 512, 20_000)?;
    println!(
        "{name:<22} {:>8.0} MiB/s ({:.2} of the copy), {:.1} µs per command of 512 bytes",
        rate(written),
        copied.as_secs_f64() / written.as_secs_f64(),
        small.as_secs_f64() * 1e6 / 20_000.0
    );
    Ok(())
}

/// Sends `count` commands of `size` bytes through a device; the engine writes every byte of them,
/// and the client looks at one.
fn run<T>(transport: &T, size: usize, count: u32) -> Result<Duration, Failure>
where
    T: Transport + EngineTransport + Clone + 'static,
{
    let name = DeviceName::new("speed")?;
    let set = transport.create(SetConfig::new(&name, 1)?)?;
    let other_side = transport.clone();
    let engine = thread::spawn(move || -> Result<(), Failure> {
        let request = OpenSetRequest::new(vec![name], Direction::Backup, Geometry::default());
        let mut set = other_side.open_set(request, LIMIT)?;
        let source = vec![1; size];
        for mut device in set.devices() {
            for _ in 0..count {
                device.write(&source)?;
            }
            device.close()?;
        }
        Ok(set.close()?)
    });
    let Waited::Ready(set) = set.wait(LIMIT)? else {
        return Err("the engine never came".into());
    };
    let (set, devices) = set.open()?;
    let start = now();
    for device in &devices {
        let mut seen = 0_u64;
        while let Event::Command(command) = device.next_command(Some(LIMIT))? {
            if let Command::Write(write) = command {
                seen += write.data().first().copied().map_or(0, u64::from);
                write.complete()?;
            }
        }
        assert_eq!(seen, u64::from(count), "every command has its data");
    }
    let took = start.elapsed();
    set.close()?;
    engine
        .join()
        .map_err(|_| "the engine's thread panicked")??;
    Ok(took)
}

/// The same bytes, copied once each by one thread between buffers as many as a device has.
fn copy() -> Duration {
    let source = vec![1_u8; TRANSFER];
    let mut buffers = vec![vec![0_u8; TRANSFER]; 4];
    let start = now();
    for _ in 0..COUNT / 4 {
        for buffer in &mut buffers {
            buffer.copy_from_slice(std::hint::black_box(&source));
            std::hint::black_box(buffer);
        }
    }
    start.elapsed()
}

fn rate(took: Duration) -> f64 {
    f64::from(COUNT) / took.as_secs_f64()
}

#[expect(clippy::disallowed_methods, reason = "this measures time")]
fn now() -> Instant {
    Instant::now()
}
