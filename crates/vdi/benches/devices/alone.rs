//! Each back end alone, as criterion measures.

use criterion::{Criterion, Throughput};
use vab_vdi::memory::Hub;
#[cfg(unix)]
use vab_vdi::pipe::Directory;
use vab_vdi::{EngineTransport, Transport};

use crate::stream::{copy, through};

const MIB: usize = 1 << 20;
const COUNT: u32 = 64;
const SMALL: u32 = 2000;

pub(crate) fn run(criterion: &mut Criterion) {
    let bytes = u64::from(COUNT) * MIB as u64;
    let mut group = criterion.benchmark_group("commands of 1 MiB");
    group.throughput(Throughput::Bytes(bytes)).sample_size(10);
    group.bench_function("copy in memory", |bencher| {
        bencher.iter_custom(|rounds| (0..rounds).map(|_| copy(4, MIB, COUNT).wall).sum());
    });
    group.finish();
    measure(criterion, "memory", &Hub::new());
    #[cfg(unix)]
    {
        let folder = tempfile::tempdir().unwrap();
        let shared = Directory::open(folder.path()).unwrap();
        measure(criterion, "pipe, shared memory", &shared);
        measure(criterion, "pipe, sockets", &shared.without_shared_memory());
    }
}

fn measure<T>(criterion: &mut Criterion, name: &str, transport: &T)
where
    T: Transport + EngineTransport + Clone + 'static,
{
    for (group, size, count) in [
        ("commands of 1 MiB", MIB, COUNT),
        ("commands of 512 bytes", 512, SMALL),
    ] {
        let mut group = criterion.benchmark_group(group);
        let throughput = if size == MIB {
            Throughput::Bytes(u64::from(count) * MIB as u64)
        } else {
            Throughput::Elements(count.into())
        };
        group.throughput(throughput).sample_size(10);
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|rounds| {
                (0..rounds)
                    .map(|_| through(transport, 4, size, count).wall)
                    .sum()
            });
        });
        group.finish();
    }
}
