//! What encoding a block costs: compression with and without its verification (decompress and
//! compare, which is on unless turned off), encryption, and decoding. The ratios are printed at
//! the end; each is of times measured in turn, in this run.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a bench fails by panicking, and measures time"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use uuid::Uuid;
use vab_format::block::BlockHeader;
use vab_format::codec::{Compression, Decoder, Encoder};
use vab_format::crypto::{DataKey, SessionSealer, StreamSealer};

/// Bytes of a block, as the source mover makes them by default.
const BLOCK: usize = 1 << 20;
const SESSION: Uuid = Uuid::from_u128(1);
/// Pairs of measurements for a ratio.
const PAIRS: u32 = 24;

/// Pages as a database has them: headers, rows of text and numbers that resemble each other, free
/// space at the end. It compresses about as well as backups do.
fn pages() -> Bytes {
    let mut state = 7_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut bytes = Vec::with_capacity(BLOCK + 8192);
    while bytes.len() < BLOCK {
        let page = bytes.len();
        bytes.extend_from_slice(&(page as u64).to_le_bytes());
        while bytes.len() < page + 7000 {
            let number = random();
            let row = format!("{:08} customer {:04} Main Street ", page, number % 10_000);
            bytes.extend_from_slice(row.as_bytes());
            bytes.extend_from_slice(&random().to_le_bytes());
            bytes.extend_from_slice(&random().to_le_bytes());
        }
        bytes.resize(page + 8192, 0);
    }
    bytes.truncate(BLOCK);
    bytes.into()
}

fn compressions() -> [Compression; 4] {
    ["lz4", "zstd:1", "zstd:3", "auto"].map(|text| text.parse().unwrap())
}

fn encode(encoder: &mut Encoder, raw: &Bytes) -> (BlockHeader, Bytes) {
    encoder
        .block(SESSION, 0, 0, 0, black_box(raw.clone()))
        .unwrap()
}

fn sealer(key: &DataKey) -> StreamSealer {
    SessionSealer::new(key, SESSION).unwrap().stream(0).unwrap()
}

/// How long `work` takes.
fn time(mut work: impl FnMut()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn blocks(criterion: &mut Criterion) {
    let raw = pages();
    let key = DataKey::random().unwrap();
    let mut group = criterion.benchmark_group("codec");
    group
        .throughput(Throughput::Bytes(BLOCK as u64))
        .sample_size(20);
    for compression in compressions() {
        for verify in [true, false] {
            let mut encoder = Encoder::new(compression).unwrap().verifying(verify);
            let name = if verify {
                "encode and verify"
            } else {
                "encode"
            };
            group.bench_function(BenchmarkId::new(name, compression), |bencher| {
                bencher.iter(|| encode(&mut encoder, &raw));
            });
        }
        let (header, payload) = encode(&mut Encoder::new(compression).unwrap(), &raw);
        let mut decoder = Decoder::new();
        group.bench_function(BenchmarkId::new("decode", compression), |bencher| {
            bencher.iter(|| decoder.decode(&header, payload.clone()).unwrap());
        });
    }
    let header = BlockHeader::for_raw(SESSION, 0, 0, 0, &raw);
    group.bench_function("encrypt", |bencher| {
        bencher.iter_batched(
            || sealer(&key),
            |mut sealer| sealer.seal(&header, black_box(&raw)).unwrap(),
            criterion::BatchSize::SmallInput,
        );
    });
    let (sealed, payload) = sealer(&key).seal(&header, &raw).unwrap();
    let mut decoder = Decoder::with_key(key);
    group.bench_function("decrypt", |bencher| {
        bencher.iter(|| decoder.decode(&sealed, payload.clone()).unwrap());
    });
    group.finish();
}

/// One line for each compression: what it saves, and how many times as long encoding takes with
/// verification.
fn ratios(_: &mut Criterion) {
    let raw = pages();
    for compression in compressions() {
        let mut with = Encoder::new(compression).unwrap();
        let mut without = Encoder::new(compression).unwrap().verifying(false);
        let mut times = (Vec::new(), Vec::new());
        // In turn, so that both meet the same machine.
        for _ in 0..PAIRS {
            times.0.push(time(|| drop(encode(&mut with, &raw))));
            times.1.push(time(|| drop(encode(&mut without, &raw))));
        }
        let (header, _) = encode(&mut with, &raw);
        let (with, without) = (median(times.0), median(times.1));
        println!(
            "codec/verification/{compression}: {:.2} times as long ({with:?} and {without:?} for a block), \
             stored {:.1}% as {}",
            with.as_secs_f64() / without.as_secs_f64().max(f64::MIN_POSITIVE),
            f64::from(header.stored_length) / f64::from(header.raw_length) * 100.0,
            header.codec,
        );
    }
}

criterion_group!(benches, blocks, ratios);
criterion_main!(benches);
