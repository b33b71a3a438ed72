//! What compression makes of a file, and what its verification costs:
//! `cargo run --release -p vab-format --all-features --example compression -- FILE...`.

use std::error::Error;
use std::time::Instant;

use bytes::Bytes;
use uuid::Uuid;
use vab_format::codec::{Compression, Encoder};

const BLOCK: usize = 1 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let mut raw = Vec::new();
    for path in std::env::args_os().skip(1) {
        raw.append(&mut std::fs::read(path)?);
    }
    if raw.is_empty() {
        return Err("usage: compression FILE...".into());
    }
    let raw = Bytes::from(raw);
    println!(
        "{:>8}  {:>6}  {:>10}  {:>10}",
        "", "ratio", "verified", "unverified"
    );
    for name in ["none", "lz4", "zstd:1", "zstd:3", "zstd:9", "auto"] {
        let compression: Compression = name.parse()?;
        if !compression.is_supported() {
            println!("{name:>8}  not built in");
            continue;
        }
        let (ratio, verified) = measure(compression, true, &raw)?;
        let (_, unverified) = measure(compression, false, &raw)?;
        println!("{name:>8}  {ratio:>6.2}  {verified:>5.0} MB/s  {unverified:>5.0} MB/s");
    }
    Ok(())
}

/// Raw bytes for each stored byte, and raw megabytes per second.
#[expect(clippy::disallowed_methods, reason = "it measures time")]
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn measure(
    compression: Compression,
    verify: bool,
    raw: &Bytes,
) -> Result<(f64, f64), Box<dyn Error>> {
    let mut encoder = Encoder::new(compression)?.verifying(verify);
    let session = Uuid::from_u128(1);
    let (mut offset, mut sequence, mut stored) = (0, 0, 0);
    let start = Instant::now();
    while offset < raw.len() {
        let block = raw.slice(offset..raw.len().min(offset + BLOCK));
        let length = block.len();
        let (header, _) = encoder.block(session, 0, sequence, offset as u64, block)?;
        stored += u64::from(header.stored_length);
        sequence += 1;
        offset += length;
    }
    let seconds = start.elapsed().as_secs_f64();
    Ok((
        raw.len() as f64 / stored as f64,
        raw.len() as f64 / 1e6 / seconds,
    ))
}
