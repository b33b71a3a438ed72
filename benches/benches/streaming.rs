//! The whole way of a backup: engine, virtual devices, source mover, TCP, target mover, `.VAB`,
//! commit. Beside it, in the same run, the same bytes written and synced to a plain file.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a bench fails by panicking"
)]

use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use vab_benches::Flood;
use vab_format::checksum::crc32c;
use vab_manager::{
    BackupKind, BackupManager, DatabaseBackup, Observer, RecoveryManager, ServeOptions, SystemClock,
};

/// Bytes of one backup.
const BYTES: u64 = 64 << 20;

fn streaming(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let recovery = runtime.block_on(async {
        let manager = BackupManager::open(folder.path(), Arc::new(SystemClock)).unwrap();
        let serving = manager
            .listen("127.0.0.1:0".parse().unwrap(), ServeOptions::default())
            .await
            .unwrap();
        let address = serving.address().to_string();
        tokio::spawn(serving.until(std::future::pending()));
        RecoveryManager::connect(&address).await.unwrap()
    });

    let mut group = criterion.benchmark_group("source to file");
    group.throughput(Throughput::Bytes(BYTES)).sample_size(10);
    group.bench_function("plain file, written and synced", |bencher| {
        let block = vec![0x5a; 1 << 20];
        bencher.iter(|| {
            let mut file = File::create(folder.path().join("plain")).unwrap();
            for _ in 0..BYTES >> 20 {
                file.write_all(&block).unwrap();
            }
            file.sync_data().unwrap();
        });
    });
    for streams in [1_u16, 4] {
        group.bench_with_input(
            BenchmarkId::new("backup, streams", streams),
            &streams,
            |bencher, &streams| {
                let mut backup = DatabaseBackup::new("bench", "flood", BackupKind::Full);
                backup.streams = streams;
                bencher.iter(|| {
                    let engine = Arc::new(Flood { bytes: BYTES });
                    let point = runtime
                        .block_on(recovery.backup(engine, &backup, &Observer::default()))
                        .unwrap();
                    assert_eq!(point.bytes, BYTES);
                    std::fs::remove_file(folder.path().join(&point.file)).unwrap();
                });
            },
        );
    }
    group.finish();
}

fn checksum(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("checksum");
    let block = vec![0x5a_u8; 1 << 20];
    group.throughput(Throughput::Bytes(1 << 20));
    group.bench_function("CRC32C of a block", |bencher| {
        bencher.iter(|| crc32c(black_box(&block)));
    });
    group.finish();
}

criterion_group!(benches, streaming, checksum);
criterion_main!(benches);
