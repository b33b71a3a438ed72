//! All devices of a set at once: nobody waits for long.

use std::time::Duration;

use vab_vdi::Geometry;
use vab_vdi::memory::Hub;

use crate::sides::{at_least, median};
use crate::stream::{Shape, both_sides, now, serve};

const DEVICES: u8 = 64;
const SIZE: u32 = 64 << 10;
/// So many that the whole takes seconds. A turn of the system's scheduler through 128 threads, at 3
/// milliseconds each on two processors, is 200 milliseconds, and each thread waits for that as it is.
const COUNT: u32 = 3000;

/// Prints how evenly 64 devices are served; says whether none stalls.
pub(crate) fn run(rounds: usize) -> bool {
    println!(
        "\n{DEVICES} devices at once, {COUNT} commands of {} KiB each",
        SIZE >> 10
    );
    let memory = many("memory", &Hub::new(), rounds);
    #[cfg(unix)]
    {
        let folder = tempfile::tempdir().unwrap();
        let shared = vab_vdi::pipe::Directory::open(folder.path()).unwrap();
        let through_memory = many("pipe, shared memory", &shared, rounds);
        let sockets = many("pipe, sockets", &shared.without_shared_memory(), rounds);
        memory && through_memory && sockets
    }
    #[cfg(not(unix))]
    memory
}

/// A device stalls when it waits for one of its commands for a quarter of the whole time, in which
/// it gets all of them.
fn many<T>(name: &str, transport: &T, rounds: usize) -> bool
where
    T: vab_vdi::Transport + vab_vdi::EngineTransport + Clone + 'static,
{
    let geometry = Geometry::new(512, SIZE).unwrap();
    let mut parts = Vec::new();
    let mut rates = Vec::new();
    let mut longest = Duration::ZERO;
    for _ in 0..rounds.min(3) {
        let start = now();
        let waits = both_sides(
            transport,
            &Shape {
                devices: DEVICES.into(),
                depth: 4,
                geometry,
            },
            |mut device| {
                let source = vec![1; SIZE as usize];
                for _ in 0..COUNT {
                    device.write(&source).unwrap();
                }
                device.close().unwrap();
            },
            |device| {
                let mut longest = Duration::ZERO;
                let count = serve(&device, |wait| longest = longest.max(wait));
                assert_eq!(count, u64::from(COUNT));
                longest
            },
        );
        let took = start.elapsed();
        let worst = waits.into_iter().max().unwrap_or_default();
        longest = longest.max(worst);
        parts.push(took.as_secs_f64() / worst.as_secs_f64());
        let bytes = f64::from(DEVICES) * f64::from(COUNT) * f64::from(SIZE);
        rates.push(bytes / took.as_secs_f64() / f64::from(1 << 20));
    }
    println!(
        "  {name:<20} {:8.0} MiB/s over all; the longest wait of any device was {longest:.1?}",
        median(rates)
    );
    at_least(
        "  whole time to the longest wait for a command",
        median(parts),
        4.0,
    )
}
