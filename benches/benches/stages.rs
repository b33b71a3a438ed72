//! What each stage of a backup costs for one block of 1 MiB, so that the slowest is always known.
//!
//! `cargo bench -p vab-benches --bench stages`; the whole way is in `streaming`.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a bench fails by panicking"
)]

use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use uuid::Uuid;
use vab_chain::{BackupKind, UtcTime};
use vab_format::block::BlockHeader;
use vab_format::checksum::crc32c;
use vab_format::record::RecordBuffer;
use vab_mover::Block;
use vab_mover::proto::frame::{Frame, FrameHeader, Limits};
use vab_repository::{Repository, RepositoryOptions, SessionRequest};
use vab_vdi::memory::Hub;
use vab_vdi::{
    Command, DeviceName, Direction, EngineTransport, Event, Geometry, OpenSetRequest, SetConfig,
    Transport, Waited,
};

const BLOCK: usize = 1 << 20;
/// Bytes that a session of the repository gets before it is aborted and the next one begins.
const SESSION: usize = 256 * BLOCK;
const LIMIT: Duration = Duration::from_secs(60);

/// Pages that look like a database's: half of them text, half of them noise.
fn pages() -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut block = Vec::with_capacity(BLOCK);
    while block.len() < BLOCK {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        block.extend_from_slice(&state.to_le_bytes());
        block.extend_from_slice(b"Station ");
    }
    block
}

/// A block as the source makes it.
fn block(session: Uuid, sequence: u64, payload: &Bytes) -> Block {
    let offset = sequence * payload.len() as u64;
    Block {
        header: BlockHeader::for_raw(session, 0, sequence, offset, payload),
        payload: payload.clone().into(),
    }
}

/// An engine writes to a device, and the client copies the buffer out of it.
fn device(criterion: &mut Criterion) {
    let hub = Hub::new();
    let name = DeviceName::new("bench").unwrap();
    let set = hub.create(SetConfig::new(&name, 1).unwrap()).unwrap();
    let engine = thread::spawn({
        let (hub, name) = (hub.clone(), name.clone());
        move || {
            let open = OpenSetRequest::new(vec![name], Direction::Backup, Geometry::default());
            let mut set = hub.open_set(open, LIMIT).unwrap();
            let mut device = set.devices().remove(0);
            // The client's abort ends it.
            while device.write_with(BLOCK, |page| page.fill(0x5a)).is_ok() {}
        }
    });
    let Waited::Ready(set) = set.wait(LIMIT).unwrap() else {
        return;
    };
    let abort = set.abort_handle();
    let (set, mut devices) = set.open().unwrap();
    let device = devices.remove(0);
    let mut buffer = Vec::with_capacity(BLOCK);
    criterion
        .benchmark_group("stage")
        .throughput(Throughput::Bytes(BLOCK as u64))
        .bench_function("1 device to buffer", |bencher| {
            bencher.iter(|| {
                if let Event::Command(Command::Write(write)) = device.next_command(None).unwrap() {
                    buffer.clear();
                    buffer.extend_from_slice(write.data());
                    write.complete().unwrap();
                }
            });
        });
    abort.abort();
    drop(device);
    let _ = set.close();
    engine.join().unwrap();
}

fn checksum(criterion: &mut Criterion) {
    let payload = pages();
    criterion
        .benchmark_group("stage")
        .throughput(Throughput::Bytes(BLOCK as u64))
        .bench_function("2 checksum", |bencher| {
            bencher.iter(|| crc32c(black_box(&payload)));
        });
}

fn frame(criterion: &mut Criterion) {
    let payload = Bytes::from(pages());
    let ready = block(Uuid::from_u128(1), 0, &payload);
    criterion
        .benchmark_group("stage")
        .throughput(Throughput::Bytes(BLOCK as u64))
        .bench_function("4 frame, written and read", |bencher| {
            bencher.iter(|| {
                let (head, payload) = Frame::Block(ready.clone()).encode().unwrap();
                let (frame, rest) = head.split_first_chunk::<{ FrameHeader::LENGTH }>().unwrap();
                let frame = FrameHeader::decode(frame, Limits::blocks(1 << 22)).unwrap();
                let header = rest.first_chunk::<{ BlockHeader::LENGTH }>().unwrap();
                black_box((frame.block(header).unwrap(), payload))
            });
        });
}

/// Over the loopback, as fast as the reader takes it.
fn socket(criterion: &mut Criterion) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut receiver, _) = listener.accept().unwrap();
    let reader = thread::spawn(move || {
        let mut buffer = vec![0; BLOCK];
        while receiver.read(&mut buffer).is_ok_and(|count| count > 0) {}
    });
    let payload = pages();
    criterion
        .benchmark_group("stage")
        .throughput(Throughput::Bytes(BLOCK as u64))
        .bench_function("5 socket", |bencher| {
            bencher.iter(|| sender.write_all(&payload).unwrap());
        });
    drop(sender);
    reader.join().unwrap();
}

/// Checked again, framed, and written to the data file; the sync at the end of a session is in it.
fn write(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let now = UtcTime::from_micros(0);
    let repository = Repository::open(folder.path(), RepositoryOptions::default(), now).unwrap();
    let payload = Bytes::from(pages());
    let begin = || {
        let request = SessionRequest {
            job: "bench".to_owned(),
            database: "pages".to_owned(),
            kind: Some(BackupKind::Full),
            copy_only: true,
            encrypted: false,
            streams: 1,
            now,
        };
        let session = repository.begin(request).unwrap();
        // In memory of the shape of a record, as they are received.
        let blocks: Vec<(BlockHeader, RecordBuffer)> = (0..(SESSION / BLOCK) as u64)
            .map(|sequence| block(session.id().0, sequence, &payload).header)
            .map(|header| (header, RecordBuffer::of(&payload)))
            .collect();
        (session, blocks)
    };
    criterion
        .benchmark_group("stage")
        .sample_size(10)
        .throughput(Throughput::Bytes(SESSION as u64))
        .bench_function("6 write and sync", |bencher| {
            bencher.iter_batched(
                begin,
                |(session, blocks)| {
                    for (header, record) in blocks {
                        session.place(&header, record).unwrap().write().unwrap();
                    }
                    session.sync().unwrap();
                    session.abort();
                },
                BatchSize::PerIteration,
            );
        });
}

criterion_group!(stages, device, checksum, frame, socket, write);
criterion_main!(stages);
